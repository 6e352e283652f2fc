"""Calls through the client of openapi-python-client."""

import sys

from registry_client import AuthenticatedClient
from registry_client.api.integrations import (
    create_integration,
    delete_integration,
    list_integrations,
    read_integration,
    update_integration,
)
from registry_client.models import (
    AdvancedConfiguration,
    AuthType,
    Created,
    CreateMcpIntegration,
    McpIntegration,
    McpIntegrationList,
    OAuthClientMetadata,
    Problem,
    Removed,
    RenamedHeader,
    Transport,
    UpdateMcpIntegration,
)

HEADERS: list[RenamedHeader | str] = ["X-Request-Id", RenamedHeader(from_="X-Tenant", to="X-Upstream-Tenant")]


def main(url: str, key: str) -> None:
    """Everything, once."""
    client = AuthenticatedClient(base_url=url, token=key, auth_header_name="x-portkey-api-key", prefix="")
    configurations = AdvancedConfiguration(
        oauth_client_metadata=OAuthClientMetadata(client_name="Acme", contacts=["security@acme.com"]),
        forward_headers=HEADERS,
    )
    new = CreateMcpIntegration(
        name="Typed", slug="typed-4", url="https://mcp.example/mcp", auth_type=AuthType.OAUTH_AUTO,
        transport=Transport.HTTP, configurations=configurations,
    )
    made = create_integration.sync(client=client, body=new)
    assert isinstance(made, Created) and made.slug == "typed-4", made
    read = read_integration.sync("typed-4", client=client)
    assert isinstance(read, McpIntegration), read
    assert isinstance(read.configurations, AdvancedConfiguration)
    metadata = read.configurations.oauth_client_metadata
    assert isinstance(metadata, OAuthClientMetadata) and metadata.client_name == "Acme"
    forwarded = read.configurations.forward_headers
    assert isinstance(forwarded, list) and isinstance(forwarded[1], RenamedHeader) and forwarded[1].to == "X-Upstream-Tenant"
    listed = list_integrations.sync(client=client, search="typed-4")
    assert isinstance(listed, McpIntegrationList) and [one.slug for one in listed.data] == ["typed-4"], listed
    refused = update_integration.sync("typed-4", client=client, body=UpdateMcpIntegration(name=""))
    assert isinstance(refused, Problem) and (refused.status, refused.errors[0].pointer) == (422, "/name"), refused
    gone = delete_integration.sync("typed-4", client=client)
    assert isinstance(gone, Removed) and gone.success, gone


main(*sys.argv[1:])
