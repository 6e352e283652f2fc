"""The Python library against a real registry: python api.py, with REGISTRY_URLS, REGISTRY_KEY of an admin and
REGISTRY_GATEWAY_KEY. Every typed request once. Prints what it saw."""

import asyncio
import json
import os

from mcp_registry_client import Registry, RegistryError


async def asked(gateway: Registry) -> dict[str, object]:
    """What gateways ask."""
    document = await gateway.document("acme/pylib")
    page = await gateway.page(0)
    changes = await gateway.changes()
    ensured = await gateway.ensure("acme/pylib", wait=0)
    report = await gateway.report("acme/pylib", 1, "invalid_client")
    return {
        "url": document["url"],
        "paged": any(one["server"] == "pylib" for one in page["data"]),
        "followed": changes["revision"] >= document["revision"],
        "ensured": ensured.get("object") == "ensure",
        "verdict": report["verdict"],
    }


async def main() -> None:
    # The first replica is not there.
    async with Registry(["http://127.0.0.1:9", os.environ["REGISTRY_URLS"]], os.environ["REGISTRY_KEY"]) as registry:
        registry.avoid()
        seen: dict[str, object] = {}
        made = await registry.integrations.create(name="Py", slug="pylib", url="https://mcp.example.com/pylib", auth_type="oauth_auto", transport="http")
        one = await registry.integrations.get(made["id"])
        await registry.integrations.update("pylib", {"name": "Python"}, one["version"])
        try:
            await registry.integrations.update("pylib", {"name": "Late"}, one["version"])
        except RegistryError as error:
            seen["late"] = error.status
        seen["name"] = (await registry.integrations.get("pylib"))["name"]
        await registry.servers.create(name="Py", slug="pylib", mcp_integration_id="pylib", workspace_id="acme")
        seen["servers"] = sorted([server["slug"] async for server in registry.servers.all(page_size=1) if server["slug"].startswith("pylib")])
        await registry.servers.update("pylib", {"description": "by Python"})
        seen["description"] = (await registry.servers.get("pylib"))["description"]
        seen["integrations"] = len((await registry.integrations.list())["data"]) > 0
        await registry.configure({"oauth_client_metadata": {"client_name": "Acme"}})
        seen["configuration"] = (await registry.configuration())["configurations"]
        try:
            await registry.configure({"oauth_client_metadata": {"scope": ["a"]}})
        except RegistryError as error:
            seen["finding"] = error.findings[0]["code"]
        try:
            await registry.document("acme/pylib")
        except RegistryError as error:
            seen["role"] = error.status  # an admin is no gateway
        async with Registry(["http://127.0.0.1:9", os.environ["REGISTRY_URLS"]], os.environ["REGISTRY_GATEWAY_KEY"]) as gateway:
            gateway.avoid()
            seen["gateway"] = await asked(gateway)
        await registry.servers.delete("pylib")
        await registry.integrations.delete("pylib")
        try:
            await registry.integrations.get("pylib")
        except RegistryError as error:
            seen["deleted"] = error.not_found
        print(json.dumps(seen))


asyncio.run(main())
