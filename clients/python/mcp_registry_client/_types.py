"""What the registry sends, as far as this library reads it; a document has further members, which `openapi/registry.json` lists."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

AdvancedConfiguration = dict[str, Any]


class _GatewayClient(TypedDict):
    client_id: str
    token_endpoint_auth_method: str
    issuer: str


class GatewayClient(_GatewayClient, total=False):
    """A client as it was registered (RFC 7591 §3.2.1), with the issuer that it belongs to."""

    client_secret: str
    client_secret_expires_at: int  # seconds since 1970; 0: never
    redirect_uris: list[str]
    grant_types: list[str]
    scope: str
    client_name: str


class AuthorizationServer(TypedDict):
    """Metadata of the client's authorization server (RFC 8414 §2)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str


class _GatewayDocument(TypedDict):
    workspace: str
    server: str
    integration: str
    url: str
    transport: str
    auth_type: str
    revision: int
    status: Literal["active", "disabled"]


class GatewayDocument(_GatewayDocument, total=False):
    """Everything that a gateway needs for one server: one consistent snapshot."""

    generation: int  # of the client; only grows; absent without a client
    reason: str
    registration: dict[str, Any]
    authorization_server: AuthorizationServer
    client: GatewayClient
    resource: str
    scope: str
    authorization_params: dict[str, Any]
    headers: dict[str, str]
    passthrough_headers: dict[str, str]
    shared_upstream_client: bool


class NotYet(TypedDict, total=False):
    """There is no client yet."""

    object: str
    state: str
    reason: str
    detail: str
    not_before: str


class Reported(TypedDict):
    """The reaction to a report."""

    verdict: Literal["stale", "ignored", "noted", "checking", "replacing", "rediscovering"]


class _GatewayChange(TypedDict):
    revision: int


class GatewayChange(_GatewayChange, total=False):
    """One change: `changed`, `deleted` or `identities`; in streams also `start` and `reset`."""

    event: str
    workspace: str
    server: str


class GatewayChanges(TypedDict):
    """The changes after a position. With `reset` the position has expired: fetch all documents again."""

    revision: int
    reset: bool
    changes: list[GatewayChange]


class GatewayPage(TypedDict):
    """One page of documents, in the order of their last change."""

    data: list[GatewayDocument]
    has_more: bool
    revision: int


class Finding(TypedDict):
    """A finding about a member of a request, with a JSON Pointer."""

    pointer: str
    code: str
    severity: str
    message: str


class Configured(TypedDict, total=False):
    """An integration, a server or the organisation's configuration, with the version for `If-Match`."""

    id: str
    slug: str
    name: str
    description: str | None
    configurations: AdvancedConfiguration | None
    version: int


class Changed(TypedDict, total=False):
    """The answer to a change."""

    id: str
    slug: str
    findings: list[Finding]


class Page(TypedDict, total=False):
    """A page of a list."""

    data: list[Configured]
    total: int
    has_more: bool
    next_cursor: str | None
