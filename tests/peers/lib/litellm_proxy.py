"""LiteLLM's own proxy on a port of its own, run by the Python that it is installed in: its routes, its checks, its MCP server.

With the argument `admin` its admin API works. LiteLLM keeps servers in PostgreSQL by an engine of Prisma, which is not on PyPI;
tables in memory stand in for it, with the few calls that LiteLLM makes. Without it the servers come from the configuration file.
"""

import asyncio
import contextlib
import copy
import json
import os
import sys
import types
from datetime import datetime, timezone

import uvicorn

PRISMA = types.ModuleType("prisma")
PRISMA.Json = lambda value: value
OPERATORS = {"equals", "in", "not"}


class Row:
    """A row as Prisma gives it."""

    def __init__(self, values):
        self.__dict__.update(values)

    def __getattr__(self, name):
        # A column that was not written; but `dict(row)` must not take it for a mapping.
        if name.startswith("__") or name == "keys":
            raise AttributeError(name)
        return None

    def __iter__(self):
        return iter(self.__dict__.items())

    def model_dump(self, **_):
        return copy.deepcopy(self.__dict__)

    dict = model_dump


class Table:
    """A table of rows, with the filters that LiteLLM uses."""

    def __init__(self):
        self.rows = []

    def _matching(self, where):
        return [row for row in self.rows if matches(row, where or {})]

    async def find_many(self, where=None, **_):
        return [Row(copy.deepcopy(row)) for row in self._matching(where)]

    async def find_first(self, where=None, **_):
        found = await self.find_many(where)
        return found[0] if found else None

    async def find_unique(self, where=None, **_):
        return await self.find_first(where)

    async def count(self, where=None, **_):
        return len(self._matching(where))

    async def create(self, data, **_):
        now = datetime.now(timezone.utc)
        row = {"created_at": now, "updated_at": now}
        row.update({name: parsed(value) for name, value in data.items()})
        self.rows.append(row)
        return Row(copy.deepcopy(row))

    async def update(self, where, data, **_):
        for row in self._matching(where):
            row.update({name: parsed(value) for name, value in data.items()}, updated_at=datetime.now(timezone.utc))
            return Row(copy.deepcopy(row))
        return None

    async def update_many(self, where, data, **_):
        found = self._matching(where)
        for row in found:
            row.update({name: parsed(value) for name, value in data.items()}, updated_at=datetime.now(timezone.utc))
        return len(found)

    async def delete(self, where, **_):
        for row in self._matching(where):
            self.rows.remove(row)
            return Row(row)
        return None

    async def delete_many(self, where=None, **_):
        found = self._matching(where)
        for row in found:
            self.rows.remove(row)
        return len(found)

    async def upsert(self, where, data, **_):
        return await self.update(where, data["update"]) or await self.create(data["create"])


def parsed(value):
    """JSON columns are written as text and read as values."""
    if isinstance(value, str) and value[:1] in "{[":
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return copy.deepcopy(value)


def matches(row, where):
    for name, wanted in where.items():
        if name in ("AND", "OR", "NOT"):
            parts = [matches(row, part) for part in (wanted if isinstance(wanted, list) else [wanted])]
            if not (all(parts) if name == "AND" else any(parts) if name == "OR" else not any(parts)):
                return False
        elif isinstance(wanted, dict) and not OPERATORS.intersection(wanted):
            # A key of several columns.
            if not matches(row, wanted):
                return False
        elif isinstance(wanted, dict):
            held = row.get(name)
            if "equals" in wanted and not same(held, wanted["equals"], wanted.get("mode")):
                return False
            if "in" in wanted and held not in wanted["in"]:
                return False
            if "not" in wanted and same(held, wanted["not"], None):
                return False
        elif row.get(name) != wanted:
            return False
    return True


def same(held, wanted, mode):
    if mode == "insensitive" and isinstance(held, str) and isinstance(wanted, str):
        return held.lower() == wanted.lower()
    return held == wanted


class Database:
    """The client: a table for every name."""

    def __init__(self):
        self.tables = {}

    def __getattr__(self, name):
        if name.startswith("litellm_"):
            return self.tables.setdefault(name, Table())
        raise AttributeError(name)

    @contextlib.asynccontextmanager
    async def tx(self, **_):
        yield self

    async def query_raw(self, *_):
        return []

    async def execute_raw(self, *_):
        return 0


class Client:
    """What LiteLLM calls its Prisma client."""

    spend_logs_queue_monitor_task = None

    def __init__(self):
        self.db = self.writer_db = Database()

    async def get_data(self, *_, **__):
        return None

    async def disconnect(self):
        pass


async def main():
    port, with_admin = int(sys.argv[1]), "admin" in sys.argv[2:]
    if with_admin:
        sys.modules["prisma"] = PRISMA
    from litellm.proxy import proxy_server

    config = uvicorn.Config(proxy_server.app, host="127.0.0.1", port=port, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.05)
    if with_admin:
        client = Client()
        # The user that LiteLLM makes at its first start: the holder of the master key.
        admin = {"user_id": "default_user_id", "user_role": "proxy_admin", "spend": 0.0, "models": [], "teams": []}
        await client.db.litellm_usertable.create(admin)
        proxy_server.prisma_client = client
    print("ready " + json.dumps({"pid": os.getpid()}), flush=True)
    await serving


asyncio.run(main())
