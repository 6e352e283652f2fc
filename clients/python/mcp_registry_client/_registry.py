"""Requests, over all replicas."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx

from ._types import AdvancedConfiguration, Changed, Configured, Finding, GatewayChanges, GatewayDocument, GatewayPage, NotYet, Page, Reported

T = TypeVar("T")
TIMEOUT = 15.0
_GATEWAY = "/v1/gateway"
_ORGANISATION = "/v1/organisation/configuration"


class RegistryError(Exception):
    """A request that the registry refused, or that no replica answered (`status` 0)."""

    def __init__(self, message: str, status: int = 0, code: str = "no_answer", retry_after: float | None = None, findings: list[Finding] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after, self.findings = status, code, retry_after, findings or []

    @property
    def not_found(self) -> bool:
        """Whether the registry itself says that there is no such thing; a 404 of something in between is not enough."""
        return self.status == 404 and self.code == "not_found"


class Registry:
    """A connection to the registry, over all of its replicas. Use it in `async with`.

    `key` is the API key, or a function that gives it before each request, so that a rotated key is used without a restart.
    """

    def __init__(self, urls: str | Sequence[str], key: str | Callable[[], str], *, timeout: float = TIMEOUT, http: httpx.AsyncClient | None = None) -> None:
        self._urls = [url.rstrip("/") for url in ([urls] if isinstance(urls, str) else urls)]
        if not self._urls:
            raise ValueError("`urls` is empty")
        self._key, self._timeout, self._current = key, timeout, 0
        self._http = http or httpx.AsyncClient(follow_redirects=False)
        self.integrations = Collection(self, "/v1/mcp-integrations")
        self.servers = Collection(self, "/v1/mcp-servers")

    async def __aenter__(self) -> Registry:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    def avoid(self, replica: int | None = None) -> None:
        """The replica does not work: requests go to the next one, unless another request has moved on already."""
        if replica is None or replica == self._current:
            self._current = (self._current + 1) % len(self._urls)

    async def request(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T | None],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
        repeatable: bool | None = None,
    ) -> T:
        """One request with a JSON answer, sent to each replica in turn until one gives an answer that `read` can use."""
        if repeatable is None:
            repeatable = method != "POST"
        failed: RegistryError | None = None
        for _ in self._urls if repeatable else self._urls[:1]:
            replica = self._current
            try:
                response = await self._http.request(
                    method, self._urls[replica] + path, params=query, json=body, headers=self._headers(headers), timeout=timeout or self._timeout
                )
                if not response.is_success:
                    raise _refusal(response)
                told = read(response.json())
                if told is None:
                    raise RegistryError(f"{method} {path}: not an answer of the registry")
                return told
            except RegistryError as error:
                said = error
            except Exception as error:  # a broken connection, no JSON, a key that cannot be read
                said = RegistryError(f"{method} {path}: {error!r}")
            if 0 < said.status < 500:
                raise said
            if failed is None or (said.retry_after or 0) < (failed.retry_after or 0):
                failed = said
            self.avoid(replica)
        assert failed is not None
        raise failed

    @asynccontextmanager
    async def stream(self, since: int, silence: float) -> AsyncGenerator[AsyncIterator[str], None]:
        """The lines of the changes after `since` as server-sent events. After `silence` seconds without one it fails."""
        replica = self._current
        headers = self._headers({"accept": "text/event-stream", "last-event-id": str(since)})
        try:
            async with self._http.stream("GET", f"{self._urls[replica]}{_GATEWAY}/changes", headers=headers, timeout=silence) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise RegistryError("not a stream of events")
                yield response.aiter_lines()
                raise RegistryError("the stream of changes ended")
        except httpx.HTTPError as error:
            self.avoid(replica)
            raise RegistryError(f"the stream of changes broke: {error!r}") from error
        except RegistryError:
            self.avoid(replica)
            raise

    async def document(self, name: str, *, generation: int | None = None, at_least: int | None = None) -> GatewayDocument:
        """The document of `workspace/server`, with the client of `generation`, or at least as new as a revision."""
        query = {key: value for key, value in (("generation", generation), ("at_least", at_least)) if value is not None}
        return await self.request("GET", _path(name), lambda body: document_of(body, name), query=query)

    async def page(self, since: int) -> GatewayPage:
        """One page of documents that changed after `since`."""
        return await self.request("GET", f"{_GATEWAY}/servers", _page_of, query={"since": since})

    async def changes(self, since: int | None = None, wait: int = 30) -> GatewayChanges:
        """The changes after `since`, waiting for one; without `since` the current position, immediately."""
        query = None if since is None else {"since": since, "wait": wait}
        return await self.request("GET", f"{_GATEWAY}/changes", _changes_of, query=query, timeout=self._timeout + wait)

    async def ensure(self, name: str, wait: int = 5) -> GatewayDocument | NotYet:
        """Says that a user waits for the client of this server."""

        def read(body: Any) -> GatewayDocument | NotYet | None:
            return cast(NotYet, body) if isinstance(body, dict) and body.get("object") == "ensure" else document_of(body, name)

        return await self.request("POST", f"{_path(name)}/ensure", read, body={"wait": wait}, repeatable=True, timeout=self._timeout + wait)

    async def report(self, name: str, generation: int, error: str) -> Reported:
        """Says that the client of this generation does not work."""
        body = {"generation": generation, "error": error}
        read: Callable[[Any], Reported | None] = lambda told: cast(Reported, told) if isinstance(told, dict) and "verdict" in told else None
        return await self.request("POST", f"{_path(name)}/report", read, body=body, repeatable=True)

    async def configuration(self) -> Configured:
        """The Advanced Configuration of the organisation."""
        return await self.request("GET", _ORGANISATION, _object)

    async def configure(self, configurations: AdvancedConfiguration | None, version: int | None = None) -> Changed:
        """Replaces the Advanced Configuration of the organisation."""
        return cast(Changed, await self.request("PUT", _ORGANISATION, _object, body={"configurations": configurations}, headers=if_match(version)))

    def _headers(self, more: dict[str, str] | None) -> dict[str, str]:
        key = self._key if isinstance(self._key, str) else self._key()
        return {"authorization": f"Bearer {key}", "accept": "application/json", **(more or {})}


class Collection:
    """The integrations, or the servers. A reference is an id or a slug."""

    def __init__(self, registry: Registry, root: str) -> None:
        self._registry, self._root = registry, root

    async def list(self, **query: Any) -> Page:
        """One page."""
        return cast(Page, await self._registry.request("GET", self._root, _object, query=query))

    async def all(self, **query: Any) -> AsyncIterator[Configured]:
        """Everything, page after page."""
        while True:
            page = await self.list(**query)
            for one in page["data"]:
                yield one
            cursor = page.get("next_cursor")
            if not page.get("has_more") or not cursor:
                return
            query["cursor"] = cursor

    async def get(self, reference: str) -> Configured:
        """One item."""
        return await self._registry.request("GET", self._one(reference), _object)

    async def create(self, **members: Any) -> Changed:
        """Creates an item; never sent twice."""
        return cast(Changed, await self._registry.request("POST", self._root, _object, body=members))

    async def update(self, reference: str, members: dict[str, Any], version: int | None = None) -> Changed:
        """Changes members. With the `version` that was read, another user's change is never overwritten (412)."""
        return cast(Changed, await self._registry.request("PUT", self._one(reference), _object, body=members, headers=if_match(version)))

    async def delete(self, reference: str) -> None:
        """Deletes an item."""
        await self._registry.request("DELETE", self._one(reference), _object)

    def _one(self, reference: str) -> str:
        return f"{self._root}/{quote(reference, safe='')}"


def if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"if-match": f'"{version}"'}


def document_of(body: Any, name: str | None = None) -> GatewayDocument | None:
    """The document, if it is one: of this name, and whole."""
    if not isinstance(body, dict) or not all(isinstance(body.get(key), str) for key in ("workspace", "server", "url", "status")):
        return None
    client = body.get("client")
    whole = client is None or isinstance(client, dict) and "client_id" in client and "issuer" in client and isinstance(body.get("generation"), int)
    named = name is None or name == f"{body['workspace']}/{body['server']}"
    return cast(GatewayDocument, body) if whole and named and isinstance(body.get("revision"), int) else None


def _page_of(body: Any) -> GatewayPage | None:
    whole = isinstance(body, dict) and isinstance(body.get("revision"), int) and isinstance(body.get("data"), list)
    return cast(GatewayPage, body) if whole and all(document_of(one) for one in body["data"]) else None


def _changes_of(body: Any) -> GatewayChanges | None:
    whole = isinstance(body, dict) and isinstance(body.get("revision"), int) and isinstance(body.get("changes"), list)
    whole = whole and all(isinstance(one, dict) and isinstance(one.get("revision"), int) for one in body["changes"])
    return cast(GatewayChanges, body) if whole else None


def _object(body: Any) -> Configured | None:
    return cast(Configured, body) if isinstance(body, dict) else None


def _path(name: str) -> str:
    return f"{_GATEWAY}/servers/{quote(name)}"


def _refusal(response: httpx.Response) -> RegistryError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    problem = problem if isinstance(problem, dict) else {}
    # A redirect leads to something that is no registry, and the key stays here.
    status = 0 if response.is_redirect else response.status_code
    message = f"{response.status_code} {problem.get('detail', response.reason_phrase)}"
    return RegistryError(message, status, str(problem.get("code", "")), _delay(response.headers.get("retry-after")), problem.get("errors"))


def _delay(value: str | None) -> float | None:
    """`Retry-After` in seconds (RFC 9110 §10.2.3: seconds, or a date)."""
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None
