"""Calls through the Python client of openapi-generator."""

import sys

import registry_api
from registry_api.exceptions import UnprocessableEntityException

HEADERS = ["X-Request-Id", {"from": "X-Tenant", "to": "X-Upstream-Tenant"}]


def main(url, key):
    """Everything, once."""
    settings = registry_api.Configuration(host=url, api_key={"api_key": key})
    with registry_api.ApiClient(settings) as client:
        api = registry_api.IntegrationsApi(client)
        new = registry_api.CreateMcpIntegration.from_dict({
            "name": "Typed", "slug": "typed-5", "url": "https://mcp.example/mcp", "auth_type": "oauth_auto", "transport": "http",
            "configurations": {
                "oauth_client_metadata": {"client_name": "Acme", "contacts": ["security@acme.com"]},
                "forward_headers": HEADERS,
            },
        })
        assert api.create_integration(new).slug == "typed-5"
        read = api.read_integration("typed-5")
        assert isinstance(read.configurations, registry_api.AdvancedConfiguration), read
        assert read.configurations.oauth_client_metadata.client_name == "Acme"
        assert read.configurations.forward_headers.to_dict() == HEADERS, read.configurations.forward_headers
        assert [one.slug for one in api.list_integrations(search="typed-5").data] == ["typed-5"]
        try:
            api.update_integration("typed-5", registry_api.UpdateMcpIntegration(name="x" * 300))
        except (UnprocessableEntityException, ValueError) as refused:
            # The client itself may refuse it: the schema says how long a name is.
            print(type(refused).__name__)
        try:
            api.update_integration(
                "typed-5",
                registry_api.UpdateMcpIntegration.from_dict({"configurations": {"oauth_client_metadata": {"client_uri": "nonsense"}}}),
            )
        except UnprocessableEntityException as refused:
            problem = refused.data
            assert isinstance(problem, registry_api.Problem), problem
            assert (problem.status, problem.errors[0].pointer) == (422, "/configurations/oauth_client_metadata/client_uri"), problem
        else:
            raise AssertionError("a wrong address was accepted")
        assert api.delete_integration("typed-5").success


main(*sys.argv[1:])
