"""The hosted product's own SDK against our API: only its base URL and key are changed.

    python portkey_sdk.py BASE_URL API_KEY WORKSPACE MCP_URL

BASE_URL ends in /v1, API_KEY is an organisation admin's, WORKSPACE is the slug of an existing workspace, MCP_URL is an
MCP server that asks for authorization. Leaves nothing behind. Exits 0 when every check held and every method was called; an
assertion names what did not. The last line, `calls <json>`, lists each call: method of the SDK, HTTP method, path, status.
"""

import json
import sys
from contextlib import contextmanager

from portkey_ai import Portkey
from portkey_ai.api_resources.apis.api_resource import APIResource
from portkey_ai.api_resources.exceptions import (
    AuthenticationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)

CONFIGURATIONS = {"oauth_client_metadata": {"client_name": "Acme Corp MCP Gateway", "contacts": ["security@acme.com"]}}


class Recorder:
    """Notes each call of a client, with the SDK's method that makes it."""

    def __init__(self, client):
        self.calls, self.known, self._method = [], [], None
        client._client.event_hooks = {"response": [self._note]}
        for name in ("mcp_integrations", "mcp_servers", "api_keys", "admin"):
            self._trace(getattr(client, name), name)

    def _note(self, response):
        request = response.request
        self.calls.append([self._method, request.method, request.url.path, response.status_code])

    def _trace(self, resource, name):
        for member in [one for one in vars(type(resource)) if not one.startswith("_")]:
            self.known.append(f"{name}.{member}")
            setattr(resource, member, self._named(getattr(resource, member), f"{name}.{member}"))
        for member, value in list(vars(resource).items()):
            if isinstance(value, APIResource):
                self._trace(value, f"{name}.{member}")

    def _named(self, method, name):
        def call(*parameters, **named):
            self._method = name
            return method(*parameters, **named)

        return call


@contextmanager
def expect(error, what):
    """The block must be answered with `error`."""
    try:
        yield
    except error as answer:
        print(f"ok: {what}: {answer.status_code}")
    else:
        raise AssertionError(f"{what} was accepted")


def check(held, what):
    """One fact, printed when it holds."""
    if not held:
        raise AssertionError(what)
    print(f"ok: {what}")


def member(answer, name):
    """A member that the SDK's models may or may not declare."""
    return getattr(answer, name, None)


def integration_cycle(client, mcp_url):
    """Create, retrieve by id and slug, list, update. Returns the id."""
    created = client.mcp_integrations.create(
        name="SDK integration", slug="sdk-integration", url=mcp_url, auth_type="oauth_auto", transport="http",
        description="made by the SDK", configurations=CONFIGURATIONS,
    )
    check(isinstance(created.id, str) and member(created, "slug") == "sdk-integration", "create answers id and slug")
    by_id = client.mcp_integrations.retrieve(mcp_integration_id=created.id)
    by_slug = client.mcp_integrations.retrieve(mcp_integration_id="sdk-integration")
    check(by_id.id == by_slug.id == created.id, "retrieve takes the id and the slug")
    check((by_id.name, by_id.url) == ("SDK integration", mcp_url), "name and url come back")
    check((by_id.auth_type, by_id.transport) == ("oauth_auto", "http"), "auth_type and transport come back")
    check(by_id.configurations == CONFIGURATIONS, "configurations come back as sent")

    tested = client.mcp_integrations.test(mcp_integration_id="sdk-integration")
    check(tested.success is True and member(tested, "url") == mcp_url, "integration test succeeds")
    check(isinstance(member(tested, "response_time_ms"), int), "integration test tells how long it took")

    listed = client.mcp_integrations.list(type="all", current_page=0, page_size=100, search="sdk-integ")
    check(listed.object == "list" and isinstance(listed.total, int), "list has its envelope")
    check([item["id"] for item in listed.data] == [created.id], "list finds it by search")

    client.mcp_integrations.update(mcp_integration_id=created.id, name="SDK integration, renamed")
    renamed = client.mcp_integrations.retrieve(mcp_integration_id=created.id)
    check(renamed.name == "SDK integration, renamed", "update changes the name")
    check(renamed.configurations == CONFIGURATIONS, "update leaves alone what it does not name")

    with expect(UnprocessableEntityError, "a wrong type in the metadata"):
        client.mcp_integrations.update(
            mcp_integration_id=created.id, configurations={"oauth_client_metadata": {"contacts": "a@b.com"}}
        )
    unchanged = client.mcp_integrations.retrieve(mcp_integration_id=created.id)
    check(unchanged.configurations == CONFIGURATIONS, "a refused update changes nothing")
    with expect(ConflictError, "a slug that is taken"):
        client.mcp_integrations.create(
            name="Again", slug="sdk-integration", url=mcp_url, auth_type="oauth_auto", transport="http"
        )
    return created.id


def workspace_access(client, integration, workspace):
    """Enable the integration in the workspace and see it listed."""
    client.mcp_integrations.workspaces.update(
        mcp_integration_id=integration, workspaces=[{"id": workspace, "enabled": True}]
    )
    access = client.mcp_integrations.workspaces.list(mcp_integration_id=integration)
    check(any(row["enabled"] for row in access.workspaces), "workspace access is enabled and listed")


def server_cycle(client, integration, workspace):
    """Create, retrieve, list, update, delete."""
    created = client.mcp_servers.create(
        name="SDK server", mcp_integration_id=integration, workspace_id=workspace, slug="sdk-server"
    )
    check(isinstance(created.id, str) and created.slug == "sdk-server", "server create answers id and slug")
    server = client.mcp_servers.retrieve(mcp_server_id=created.id)
    check((server.id, server.name, server.slug) == (created.id, "SDK server", "sdk-server"), "server retrieve")
    listed = client.mcp_servers.list(workspace_id=workspace, current_page=0, page_size=100)
    check(created.id in [item["id"] for item in listed.data], "server list")
    tested = client.mcp_servers.test(mcp_server_id=created.id)
    check(tested.success is True and tested.object == "mcp-server", "server test succeeds")
    check((member(tested, "status_code"), member(tested, "server_name")) == (401, "SDK server"), "server test tells what it saw")
    capability_cycle(client, integration, created.id)
    client.mcp_servers.update(mcp_server_id=created.id, description="changed by the SDK")
    server = client.mcp_servers.retrieve(mcp_server_id=created.id)
    check((server.name, server.description) == ("SDK server", "changed by the SDK"), "server update")
    client.mcp_servers.delete(mcp_server_id=created.id)
    with expect(NotFoundError, "a deleted server"):
        client.mcp_servers.retrieve(mcp_server_id=created.id)


def capability_cycle(client, integration, server):
    """Everything that the SDK knows of capabilities, metadata, user access, clients and tokens."""
    tools = [{"name": "add", "type": "tool", "title": "Add"}, {"name": "drop", "type": "tool"}]
    client.mcp_integrations.sync(
        mcp_integration_id=integration, server_info={"server_name": "sdk-upstream", "server_version": "1.0"}, capabilities=tools
    )
    client.mcp_servers.capabilities.sync(mcp_server_id=server, capabilities=tools)
    listed = client.mcp_servers.capabilities.list(mcp_server_id=server)
    check({item["name"] for item in listed.data} == {"add", "drop"}, "capabilities come back as they were reported")
    switch = [{"name": "drop", "type": "tool", "enabled": False}]
    client.mcp_integrations.capabilities.update(mcp_integration_id=integration, capabilities=switch)
    of_integration = client.mcp_integrations.capabilities.list(mcp_integration_id=integration)
    check([item["name"] for item in of_integration.data if not item["enabled"]] == ["drop"], "an integration switches a tool off")
    client.mcp_servers.capabilities.update(
        mcp_server_id=server, capabilities=[{"name": "add", "type": "tool", "enabled": False}]
    )
    of_server = client.mcp_servers.capabilities.list(mcp_server_id=server)
    check(not any(item["enabled"] for item in of_server.data), "a server narrows further")

    client.mcp_servers.metadata.sync(mcp_server_id=server, server_name="sdk-upstream", server_version="1.1", title="SDK")
    check(member(client.mcp_servers.metadata.retrieve(mcp_server_id=server), "server_version") == "1.1", "metadata of a server")
    upstream = client.mcp_integrations.metadata.retrieve(mcp_integration_id=integration)
    check(member(upstream, "server_name") == "sdk-upstream", "metadata of an integration")

    check(client.mcp_servers.user_access.check(mcp_server_id=server).has_access is True, "access of the caller")
    client.mcp_servers.user_access.update(
        mcp_server_id=server, user_access=[{"user_id": "someone", "enabled": False}], default_user_access={"default": "allow"}
    )
    access = client.mcp_servers.user_access.list(mcp_server_id=server)
    check(access.default_user_access == {"default": "allow"}, "the default of a server")

    with expect(NotFoundError, "a token that nobody has"):
        client.mcp_servers.get_tokens(mcp_server_id=server)
    with expect(InternalServerError, "a token to store, which is not built"):
        client.mcp_servers.update_tokens(mcp_server_id=server, access_token="x")
    client.mcp_servers.delete_tokens(mcp_server_id=server)
    with expect(PermissionDeniedError, "the client of a server, which only gateways may read"):
        client.mcp_servers.get_client_info(mcp_server_id=server)


def workspace_cycle(client):
    """Workspaces, and their members, by the admin paths. Returns the id of a workspace."""
    made = client.admin.workspaces.create(name="SDK workspace", description="made by the SDK", defaults={"metadata": {"a": "b"}})
    check(isinstance(made.id, str) and member(made, "name") == "SDK workspace", "workspace create answers the workspace")
    read = client.admin.workspaces.retrieve(workspace_id=made.id)
    check((read.id, read.description) == (made.id, "made by the SDK"), "workspace retrieve")
    listed = client.admin.workspaces.list(exact_name="SDK workspace", page_size=10)
    check([one["id"] for one in listed.data] == [made.id], "workspace list by name")
    client.admin.workspaces.update(workspace_id=made.id, name="SDK workspace, renamed")
    check(client.admin.workspaces.retrieve(workspace_id=made.id).name == "SDK workspace, renamed", "workspace update")
    return made.id


def user_cycle(client, workspace):
    """Invitations, users and members."""
    invite = client.admin.users.invites.create(
        email="sdk@acme.example", role="member", workspaces=[{"id": workspace, "role": "manager"}]
    )
    check(isinstance(invite.id, str) and "token=" in member(invite, "invite_link"), "invite answers id and link")
    check(client.admin.users.invites.retrieve(invite_id=invite.id).status == "pending", "invite retrieve")
    check(invite.id in [one["id"] for one in client.admin.users.invites.list(page_size=50).data], "invite list")
    client.admin.users.invites.resend(invite_id=invite.id)
    user = client.admin.users.retrieve(user_id=invite.id)
    check((user.email, user.role) == ("sdk@acme.example", "member"), "user retrieve")
    found = client.admin.users.list(email="sdk@acme.example", page_size=5)
    check([one["id"] for one in found.data] == [invite.id], "user list by e-mail address")
    one = client.admin.workspaces.users.retrieve(workspace_id=workspace, user_id=invite.id)
    check(one.role == "manager", "member retrieve")
    client.admin.workspaces.users.update(workspace_id=workspace, user_id=invite.id, role="member")
    members = client.admin.workspaces.users.list(workspace_id=workspace)
    check([(row["id"], row["role"]) for row in members.data] == [(invite.id, "member")], "member update and list")
    client.admin.users.update(user_id=invite.id, role="admin")
    client.admin.workspaces.users.delete(workspace_id=workspace, user_id=invite.id)
    client.admin.workspaces.users.create(workspace_id=workspace, users=[{"id": invite.id, "role": "admin"}])
    own = client.api_keys.create(
        type="workspace", sub_type="user", name="SDK user key", workspace_id=workspace, user_id=invite.id, scopes=["mcp.invoke"]
    )
    check(client.api_keys.retrieve(id=own.id).type == "workspace-user", "key of a user")
    client.admin.users.update(user_id=invite.id, role="member")
    client.admin.users.invites.delete(invite_id=invite.id)
    check(client.admin.users.invites.retrieve(invite_id=invite.id).status == "cancelled", "invite delete")
    client.admin.users.delete(user_id=invite.id)
    check(client.api_keys.retrieve(id=own.id).status == "revoked", "a user's keys are revoked with the user")


def key_cycle(client, workspace):
    """Keys by kind, with the hosted product's scopes."""
    scopes = ["mcp.invoke", "mcp_servers.list", "completions.write"]
    made = client.api_keys.create(type="workspace", sub_type="service", name="SDK key", workspace_id=workspace, scopes=scopes)
    check(made.object == "api-key" and made.key.startswith("mcpr_"), "key create answers the key")
    read = client.api_keys.retrieve(id=made.id)
    check((read.type, read.status, read.scopes) == ("workspace-service", "active", scopes), "key retrieve")
    client.api_keys.update(id=made.id, name="SDK key, renamed", scopes=["mcp.invoke"])
    read = client.api_keys.retrieve(id=made.id)
    check((read.name, read.scopes) == ("SDK key, renamed", ["mcp.invoke"]), "key update")
    listed = client.api_keys.list(workspace_id=workspace)
    check(made.id in [one["id"] for one in listed.data if one["status"] == "active"], "key list by workspace")
    client.api_keys.delete(id=made.id)
    check(client.api_keys.retrieve(id=made.id).status == "revoked", "key delete")
    admin = client.api_keys.create(
        type="organisation", sub_type="service", name="SDK admin key", scopes=["organisation_mcp_integrations.list"]
    )
    client.api_keys.delete(id=admin.id)


def main(base_url, api_key, workspace, mcp_url):
    """Everything, once."""
    client = Portkey(api_key=api_key, base_url=base_url)
    recorder = Recorder(client)
    with expect(AuthenticationError, "a wrong key"):
        Portkey(api_key="mcpr_wrong", base_url=base_url).mcp_integrations.list()
    integration = integration_cycle(client, mcp_url)
    workspace_access(client, integration, workspace)
    server_cycle(client, integration, workspace)
    client.mcp_integrations.delete(mcp_integration_id=integration)
    with expect(NotFoundError, "a deleted integration"):
        client.mcp_integrations.retrieve(mcp_integration_id=integration)
    made = workspace_cycle(client)
    user_cycle(client, made)
    key_cycle(client, made)
    client.admin.workspaces.delete(workspace_id=made, name="SDK workspace, renamed")
    with expect(NotFoundError, "a deleted workspace"):
        client.admin.workspaces.retrieve(workspace_id=made)
    called = {call[0] for call in recorder.calls}
    check([one for one in recorder.known if one not in called] == [], "every method of the SDK was called")
    print("calls", json.dumps(recorder.calls))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
