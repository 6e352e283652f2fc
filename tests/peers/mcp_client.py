"""A real MCP client (Python SDK) in the place of a gateway: uses the client of a gateway document, never registers.
python mcp_client.py GATEWAY_DOCUMENT.json NODE WALK.mjs"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

with open(sys.argv[1]) as file:
    DOCUMENT = json.load(file)
CALLBACK = DOCUMENT["client"]["redirect_uris"][0]


class Storage:
    """What the SDK needs from a gateway: the document's client unchanged, and the tokens of one user."""

    def __init__(self):
        self.client = OAuthClientInformationFull.model_validate(DOCUMENT["client"])
        self.tokens, self.registered = None, 0

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.registered += client.client_id != DOCUMENT["client"]["client_id"]
        self.client = client


async def main():
    storage, back = Storage(), {}

    async def go(url):
        walk = await asyncio.create_subprocess_exec(*sys.argv[2:4], url, CALLBACK, stdout=asyncio.subprocess.PIPE)
        told, _ = await walk.communicate()
        back.update({name: values[0] for name, values in parse_qs(urlsplit(told.decode().strip()).query).items()})

    async def come_back():
        return AuthorizationCodeResult(code=back["code"], state=back.get("state"), iss=back.get("iss"))

    metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="gateway", scope=DOCUMENT.get("scope"))
    provider = OAuthClientProvider(
        server_url=DOCUMENT["url"], client_metadata=metadata, storage=storage, redirect_handler=go, callback_handler=come_back
    )
    async with httpx2.AsyncClient(auth=provider, timeout=30, trust_env=False) as client:
        async with streamable_http_client(DOCUMENT["url"], http_client=client) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                tools = [tool.name for tool in (await session.list_tools()).tools]
                told = json.loads((await session.call_tool("whoami", {})).content[0].text)
    print(json.dumps({"tools": tools, "client_id": told["client_id"], "registered": storage.registered}))


asyncio.run(main())
