"""The documents of all servers, kept up to date."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Literal, TypedDict, TypeVar, cast

from ._registry import Registry, RegistryError, document_of
from ._types import GatewayChange, GatewayDocument, NotYet, Reported

T = TypeVar("T")
# The longest `Retry-After` that is believed: a broken proxy must not blind a gateway for a day.
MAX_RETRY_AFTER = 300.0
# Reports of one client are not repeated within a minute: the registry wants a second one after that time.
REPORT_INTERVAL = 60.0
# The errors that concern a client; others are not reported (`invalid_grant` concerns one user's token).
REPORTABLE = {"invalid_client", "unauthorized_client", "unknown_client", "issuer_changed"}


class Saved(TypedDict):
    """All documents at one position. It holds secrets: store it as you store tokens."""

    position: int
    documents: list[GatewayDocument]


class Follower:
    """The documents of all servers. Whatever happens, the last good documents stay. Times are in seconds.

    `wait` is how long a poll waits, `silence` the time after which a silent stream is dead, `pause` the shortest and the
    longest pause between attempts, `saved` what `save()` of an earlier process gave. `on_change` gets a name and the
    document, or None when it is gone; `on_error` the error and the pause until the next attempt.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        mode: Literal["poll", "stream"] = "poll",
        wait: int = 30,
        silence: float = 45.0,
        pause: tuple[float, float] = (0.5, 30.0),
        saved: Saved | None = None,
        on_change: Callable[[str, GatewayDocument | None], None] | None = None,
        on_error: Callable[[RegistryError, float], None] | None = None,
    ) -> None:
        self.registry, self._mode, self._wait, self._silence, self._pause = registry, mode, wait, silence, pause
        self._on_change, self._on_error = on_change, on_error
        self._documents = {_name(document): document for document in (saved["documents"] if saved else [])}
        self._position = saved["position"] if saved else None
        self._ready = saved is not None
        self._draining: dict[tuple[str, int], GatewayDocument] = {}
        self._reports: dict[tuple[str, int, str], asyncio.Task[Reported]] = {}
        self._changed = asyncio.Event()
        self._failures = 0
        # Since when the registry has not confirmed the documents; None while it does.
        self.stale_since: datetime | None = datetime.now(timezone.utc)

    @property
    def documents(self) -> Mapping[str, GatewayDocument]:
        """The newest document of each `workspace/server`."""
        return MappingProxyType(self._documents)

    def save(self) -> Saved | None:
        """Everything, to give to the next process."""
        return None if self._position is None else {"position": self._position, "documents": list(self._documents.values())}

    async def run(self) -> None:
        """Follows until it is cancelled."""
        while True:
            try:
                if self._position is None:
                    await self._snapshot()
                elif self._mode == "stream" and self._failures == 0:
                    await self._stream(self._position)
                else:
                    # Also after a failure: what cannot be applied holds up nothing else, and some proxies let no stream pass.
                    await self._poll(self._position)
            except Exception as error:
                said = error if isinstance(error, RegistryError) else RegistryError(repr(error))
                self.stale_since = self.stale_since or datetime.now(timezone.utc)
                pause = self._next(self._failures, said)
                self._failures += 1
                _tell(lambda: self._on_error and self._on_error(said, pause))
                await asyncio.sleep(pause)

    async def ready(self, timeout: float | None = 30.0) -> None:
        """Waits until all documents were fetched once."""
        await self.until(lambda: self._ready or None, timeout)

    async def until(self, look: Callable[[], T | None], timeout: float | None = 30.0) -> T:
        """Waits for something that a change brings."""

        async def wait() -> T:
            while (found := look()) is None:
                await self._changed.wait()
            return found

        return await asyncio.wait_for(wait(), timeout)

    async def renewed(self, document: GatewayDocument, timeout: float | None = 30.0) -> GatewayDocument:
        """Waits until the client of this document was replaced."""

        def look() -> GatewayDocument | None:
            held = self._documents.get(_name(document))
            return held if held and "client" in held and held.get("generation", 0) > document.get("generation", 0) else None

        return await self.until(look, timeout)

    async def ensure(self, name: str, wait: int = 5) -> GatewayDocument | NotYet:
        """The document with a client, which the registry is asked for while a user waits; or why there is none."""
        held = self._documents.get(name)
        if held and "client" in held:
            return held
        told = await self.registry.ensure(name, wait)
        return self._keep(cast(GatewayDocument, told)) if document_of(told) else told

    async def generation(self, name: str, generation: int) -> GatewayDocument | None:
        """The document of an earlier generation, for tokens that were issued to its client; None when that client is gone."""
        held = self._documents.get(name)
        if held and held.get("generation") == generation:
            return held
        try:
            return await self.registry.document(name, generation=generation)
        except RegistryError as error:
            if error.not_found:
                self._draining.pop((name, generation), None)
                return None
            if last := self._draining.get((name, generation)):
                return last
            raise

    async def report(self, document: GatewayDocument, error: str) -> Reported:
        """Reports that this document's client does not work. One report a minute is sent, however many users meet the error."""
        generation = document.get("generation")
        if error not in REPORTABLE or generation is None:
            return {"verdict": "ignored"}
        key = (_name(document), generation, error)
        sent = self._reports.get(key)
        if sent is None:
            sent = self._reports[key] = asyncio.create_task(self._send(*key))
            asyncio.get_running_loop().call_later(REPORT_INTERVAL, lambda: self._reports.pop(key, None))
        try:
            # One user who does not wait any longer does not take the report from the others.
            return await asyncio.shield(sent)
        except RegistryError:
            self._reports.pop(key, None)
            raise

    async def _send(self, name: str, generation: int, error: str) -> Reported:
        for attempt in range(5):
            try:
                told = await self.registry.report(name, generation, error)
            except RegistryError as failed:
                if attempt == 4 or failed.status not in (0, 429, 500, 502, 503, 504):
                    raise
                await asyncio.sleep(self._next(attempt, failed))
            else:
                if told["verdict"] == "stale":
                    self._keep(await self.registry.document(name))
                return told
        raise AssertionError

    async def _snapshot(self) -> None:
        # The position first, then the documents: what is deleted while the pages are read comes again as a change.
        start = await self.registry.changes()
        found: dict[str, GatewayDocument] = {}
        since, more = 0, True
        while more:
            page = await self.registry.page(since)
            found.update((_name(document), document) for document in page["data"])
            since, more = page["revision"], page["has_more"]
        # Only now, with all of them here, the old ones go.
        for name in [name for name in self._documents if name not in found]:
            self._put(name, None)
        for name, document in found.items():
            self._put(name, document)
        self._position, self._ready = start["revision"], True
        self._confirmed()

    async def _poll(self, position: int) -> None:
        told = await self.registry.changes(position, self._wait)
        if told.get("reset"):
            self._position = None
            return
        failed: RegistryError | None = None
        for change in told["changes"]:
            try:
                await self._apply(change)
            except RegistryError as error:
                failed = failed or error
        if failed:
            raise failed  # the position stays, so that all of them come again
        self._position = told["revision"]
        self._confirmed()

    async def _stream(self, position: int) -> None:
        async with self.registry.stream(position, self._silence) as lines:
            self.stale_since = None
            event, data = "", ""
            async for line in lines:
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:]
                elif not line:
                    if data:
                        change = _change(event, data)
                        await self._apply(change)
                        if self._position is not None:
                            self._position = change["revision"]
                    if self._position is None:
                        return
                    event, data = "", ""
                    self._confirmed()

    async def _apply(self, change: GatewayChange) -> None:
        event, name = change.get("event"), f"{change.get('workspace')}/{change.get('server')}"
        if event == "changed":
            await self._refresh(name, change["revision"])
        elif event == "deleted":
            self._put(name, None)
        elif event == "reset":
            self._position = None

    async def _refresh(self, name: str, at_least: int) -> None:
        # 404 also says that the registry does not know this revision: then once more without.
        for revision in (at_least, None):
            try:
                self._keep(await self.registry.document(name, at_least=revision))
                return
            except RegistryError as error:
                if not error.not_found:
                    raise
        self._put(name, None)

    def _keep(self, document: GatewayDocument) -> GatewayDocument:
        # A document that was fetched beside the changes may be older than what they brought.
        held = self._documents.get(_name(document))
        if held and held["revision"] > document["revision"]:
            return held
        self._put(_name(document), document)
        return document

    def _put(self, name: str, document: GatewayDocument | None) -> None:
        held = self._documents.get(name)
        if held == document:
            return
        if document is None:
            del self._documents[name]
        else:
            self._documents[name] = document
            if held and "generation" in held and held["generation"] != document.get("generation"):
                self._draining[name, held["generation"]] = held
        _tell(lambda: self._on_change and self._on_change(name, document))
        self._wake()

    def _confirmed(self) -> None:
        self._failures, self.stale_since = 0, None
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _next(self, failures: int, error: RegistryError) -> float:
        # Doubles with each failure, half of it by chance, so that gateways do not come back at the same moment.
        least, most = self._pause
        pause = min(most, least * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1.0)
        asked = min(error.retry_after or 0.0, MAX_RETRY_AFTER)
        return max(pause, asked + random.uniform(0, least) if asked else 0.0)


def _change(event: str, data: str) -> GatewayChange:
    try:
        change = json.loads(data)
    except ValueError as error:
        raise RegistryError(f"a change that is not JSON: {error}") from error
    if not isinstance(change, dict) or not isinstance(change.get("revision"), int):
        raise RegistryError("a change without a revision")
    return cast(GatewayChange, {"event": event, **change})


def _name(document: GatewayDocument) -> str:
    return f"{document['workspace']}/{document['server']}"


def _tell(callback: Callable[[], object]) -> None:
    # A callback that fails is its owner's matter; the documents stay up to date.
    try:
        callback()
    except Exception:
        logging.getLogger(__name__).exception("a callback failed")
