"""Authentication of a client at its token endpoint."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote_plus

from ._types import GatewayDocument


@dataclass(frozen=True)
class Assertion:
    """The assertion that is needed (RFC 7523 §2.2): `iss` and `sub` are the client, `aud` is the issuer."""

    client_id: str
    audience: str
    document: GatewayDocument


# Gives a signed JWT. The holder of the private key implements it.
AssertionSigner = Callable[[Assertion], Awaitable[str]]


async def authenticate_client(document: GatewayDocument, headers: dict[str, str], form: dict[str, str], sign: AssertionSigner | None = None) -> None:
    """Adds the client's authentication to a request to the token endpoint, by the method of the document and no other."""
    client = document["client"]
    method, secret = client["token_endpoint_auth_method"], client.get("client_secret", "")
    if method == "client_secret_basic":
        # Both are form-encoded first (RFC 6749 §2.3.1).
        pair = f"{quote_plus(client['client_id'])}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return
    form["client_id"] = client["client_id"]
    if method == "client_secret_post":
        form["client_secret"] = secret
    elif method == "private_key_jwt":
        if sign is None:
            raise ValueError("private_key_jwt needs a signer of assertions")
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form["client_assertion"] = await sign(Assertion(client["client_id"], client["issuer"], document))
    elif method != "none":
        raise ValueError(f"this library does not know the authentication method {method}")
