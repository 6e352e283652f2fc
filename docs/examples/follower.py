"""Follows the documents of the registry and prints what changes, one JSON object per line. Commands on standard input:
`show`, `generation WORKSPACE/SERVER N`, `report WORKSPACE/SERVER ERROR`. Settings are in the first lines."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcp_registry_client import Follower, Registry, RegistryError, Saved

URLS = os.environ["REGISTRY_URLS"].split(",")
KEY_FILE = Path(os.environ["REGISTRY_KEY_FILE"])
STREAM = os.environ.get("FOLLOW_MODE") == "stream"
LEAST, MOST = (float(pause) / 1000 for pause in os.environ.get("FOLLOW_PAUSE_MS", "500,30000").split(","))
SILENCE = float(os.environ.get("FOLLOW_SILENCE_MS", "45000")) / 1000
SAVED = Path(os.environ["FOLLOW_SAVED"]) if "FOLLOW_SAVED" in os.environ else None


def show(event: str, **members: Any) -> None:
    print(json.dumps({"event": event, **members}), flush=True)


async def carry_out(follower: Follower, line: str) -> None:
    command, name, argument, *_ = [*line.split(), "", "", ""]
    document = follower.documents.get(name)
    try:
        if command == "show":
            show("show", documents=dict(follower.documents), stale_since=follower.stale_since and follower.stale_since.isoformat())
        elif command == "generation":
            found = await follower.generation(name, int(argument))
            show("generation", client_id=found["client"]["client_id"] if found else None)
        elif command == "report" and document:
            show("report", verdict=(await follower.report(document, argument))["verdict"])
    except RegistryError as error:
        show("failed", error=str(error))


async def announce(follower: Follower) -> None:
    await follower.ready(timeout=None)
    show("ready")


async def main() -> None:
    saved: Saved | None = json.loads(SAVED.read_text()) if SAVED and SAVED.exists() else None
    # The key is read before each request, so that a rotated key needs no restart.
    async with Registry(URLS, lambda: KEY_FILE.read_text().strip()) as registry:
        follower = Follower(
            registry,
            mode="stream" if STREAM else "poll",
            silence=SILENCE,
            pause=(LEAST, MOST),
            saved=saved,
            on_change=lambda name, document: show("document" if document else "deleted", name=name, generation=document and document.get("generation")),
            on_error=lambda error, pause: show("error", error=str(error), pause=pause * 1000),
        )
        running = {asyncio.create_task(follower.run()), asyncio.create_task(announce(follower))}
        while line := await asyncio.to_thread(sys.stdin.readline):
            task = asyncio.create_task(carry_out(follower, line))
            running.add(task)
            task.add_done_callback(running.discard)
        for task in list(running):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if SAVED:
        # It holds secrets.
        SAVED.touch(mode=0o600)
        SAVED.write_text(json.dumps(follower.save()))


asyncio.run(main())
