"""The MCP Python SDK as authorization server and protected MCP server in one. Settings: README.md."""

import json
import os
import secrets
import socket
import sys
import threading
import time

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthToken
from starlette.responses import JSONResponse

SCOPES = os.environ.get("SCOPES", "mcp:read mcp:write mcp:tools").split()
SECRET_EXPIRY = os.environ.get("SECRET_EXPIRY")


def say(word, value):
    print(word, json.dumps(value), flush=True)


class Memory(OAuthAuthorizationServerProvider):
    """Everything in dictionaries; every user agrees to everything."""

    def __init__(self):
        self.clients, self.codes, self.access, self.refresh = {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.clients[client_info.client_id] = client_info
        hidden = {"client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"}
        request = client_info.model_dump(mode="json", exclude_none=True, exclude=hidden)
        say("registered", {"client_id": client_info.client_id, "request": request})

    async def authorize(self, client, params):
        code = secrets.token_urlsafe(24)
        self.codes[code] = AuthorizationCode(
            code=code,
            client_id=client.client_id,
            scopes=params.scopes or SCOPES,
            expires_at=time.time() + 300,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        del self.codes[authorization_code.code]
        return self.issue(client, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client, refresh_token):
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        del self.refresh[refresh_token.token]
        return self.issue(client, scopes or refresh_token.scopes, None)

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def issue(self, client, scopes, resource):
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.access[access] = AccessToken(
            token=access, client_id=client.client_id, scopes=scopes, expires_at=int(time.time()) + 3600, resource=resource
        )
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client.client_id, scopes=scopes)
        return OAuthToken(
            access_token=access, token_type="Bearer", expires_in=3600, scope=" ".join(scopes), refresh_token=refresh
        )


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "0"))))
base = f"http://127.0.0.1:{listener.getsockname()[1]}"
memory = Memory()
registration = ClientRegistrationOptions(
    enabled=True, valid_scopes=SCOPES, client_secret_expiry_seconds=int(SECRET_EXPIRY) if SECRET_EXPIRY else None
)
server = MCPServer(
    "python-sdk",
    auth_server_provider=memory,
    auth=AuthSettings(
        issuer_url=base,
        resource_server_url=f"{base}/mcp",
        required_scopes=[SCOPES[0]],
        client_registration_options=registration,
        revocation_options=RevocationOptions(enabled=True),
        validate_token_resource=False,
    ),
)


@server.tool()
def whoami() -> str:
    """Tells which OAuth client is calling."""
    token = get_access_token()
    return json.dumps({"client_id": token.client_id, "scopes": token.scopes, "audience": token.resource})


# What the server remembers of its clients, and a way to make it forget one.
@server.custom_route("/control/clients", methods=["GET"])
async def clients(_request):
    return JSONResponse([client.model_dump(mode="json", exclude_none=True) for client in memory.clients.values()])


@server.custom_route("/control/clients/{client_id}", methods=["DELETE"])
async def forget(request):
    return JSONResponse(memory.clients.pop(request.path_params["client_id"], None) is not None)


app = server.streamable_http_app()
say(
    "ready",
    {
        "mcp_url": f"{base}/mcp",
        "issuer": base,
        "registration_endpoint": f"{base}/register",
        "control": f"{base}/control/clients",
    },
)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
