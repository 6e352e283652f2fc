"""Client of the MCP Registry: typed requests over several replicas, and a follower of gateway documents."""

from ._client_authentication import Assertion, AssertionSigner, authenticate_client
from ._follower import Follower, Saved
from ._registry import Registry, RegistryError
from ._types import (
    AuthorizationServer,
    Changed,
    Configured,
    Finding,
    GatewayChange,
    GatewayChanges,
    GatewayClient,
    GatewayDocument,
    GatewayPage,
    NotYet,
    Page,
    Reported,
)

__all__ = [
    "Assertion",
    "AssertionSigner",
    "AuthorizationServer",
    "Changed",
    "Configured",
    "Finding",
    "Follower",
    "GatewayChange",
    "GatewayChanges",
    "GatewayClient",
    "GatewayDocument",
    "GatewayPage",
    "NotYet",
    "Page",
    "Registry",
    "RegistryError",
    "Reported",
    "Saved",
    "authenticate_client",
]
