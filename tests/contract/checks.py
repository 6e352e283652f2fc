"""What must hold for every answer, beside what schemathesis checks."""

import json
from urllib.parse import unquote

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": None,
    "cache-control": None,
    "x-request-id": None,
}
# These, and nothing else, hold secrets, and only for the role `gateway`.
GATEWAY_DOCUMENTS = {
    "ensure_gateway_server", "fetch_gateway_server", "list_gateway_servers",
    "read_gateway_server", "read_gateway_client", "read_server_client_info",
}


class Checks:
    """For one identity."""

    def __init__(self, scenario, identity):
        self.identity = identity
        self.foreign = []
        self.secrets = {side: list(values) for side, values in scenario.secrets.items()}
        if not identity.whole:
            self.foreign = scenario.foreign_marks

    def all(self):
        return [self.refusal_is_a_problem, self.security_headers_stand, self.no_foreign_object, self.no_secret]

    def refusal_is_a_problem(self, context, response, case):
        """Each refusal is a problem document (RFC 9457) of the documented shape."""
        if response.status_code < 400 or response.request.method == "HEAD":
            return
        media_type = first(response, "content-type")
        assert media_type == "application/problem+json", f"a refusal is labelled {media_type!r}"
        problem = json.loads(response.content)
        for name, kind in {
            "type": str, "title": str, "status": int, "detail": str, "instance": str, "code": str,
            "request_id": str, "errors": list, "success": bool, "data": dict,
        }.items():
            assert isinstance(problem.get(name), kind), f"the problem has no proper `{name}`"
        assert problem["status"] == response.status_code, "the problem names another status"
        assert problem["type"] == f"/docs/problems#{problem['code']}" or response.status_code == 409, "`type` is not that of `code`"
        assert problem["data"].get("message") == problem["detail"], "`data.message` is not `detail`"
        assert problem["request_id"] == first(response, "x-request-id"), "the problem names another request"
        assert problem["success"] is False

    def security_headers_stand(self, context, response, case):
        """Every response has the security headers."""
        for name, value in HEADERS.items():
            found = first(response, name)
            assert found and (value is None or found == value), f"the header {name} is {found!r}"

    def no_foreign_object(self, context, response, case):
        """Nothing tells of a workspace that is not the caller's. What the caller named itself may be named back."""
        if not self.foreign:
            return
        said = said_by(response.request)
        text = told_by(response)
        found = [mark for mark in self.foreign if mark in text and mark not in said]
        assert not found, f"the answer tells of foreign things: {found}"

    def no_secret(self, context, response, case):
        """No planted secret is in any answer, except the gateway's documents for whom they are."""
        text = told_by(response)
        operation = case.operation.definition.raw.get("operationId")
        for side, values in self.secrets.items():
            if operation in GATEWAY_DOCUMENTS and self.identity.role == "gateway" and (self.identity.whole or side != "foreign"):
                continue
            found = sum(value in text for value in values)
            assert not found, f"the answer holds {found} secrets of {side}"


def first(response, name):
    values = response.headers.get(name)
    return values[0] if values else None


def told_by(response):
    headers = "\n".join(f"{name}: {value}" for name, values in response.headers.items() for value in values)
    return headers + "\n" + response.content.decode(errors="replace")


def said_by(request):
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    text = body.decode(errors="replace")
    try:
        # The same without escapes.
        text += json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        pass
    return unquote(request.url) + text
