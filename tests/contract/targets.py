"""Aims generated requests at things that exist, of every side; and keeps everything that is sent on loopback."""

import json
import random
import re
from collections import Counter

from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.core.parameters import ParameterLocation

ADDRESS = re.compile(r"(?i)\bhttps?:[^\s\"'<>]*")
SIDES = ("own", "own", "own", "foreign", "foreign", "organisation")
# Members of queries and bodies, and what they name.
NAMES = {
    "workspace_id": "workspace",
    "preview_workspace_id": "workspace",
    "workspace": "workspace",
    "mcp_integration_id": "integration",
    "integration_id": "integration",
    "mcp_server_id": "server",
    "preview_server_id": "server",
    "server_id": "server",
}
CONFIGURATIONS = [
    {"oauth_client_metadata": {"client_name": "Aimed", "contacts": ["aimed@example.com"], "scope": "mcp:read"}},
    {"headers": {"X-Aimed": "aimed"}, "jwt_validation": {"jwksUri": "http://127.0.0.1:9/keys"}},
    {"oauth_client_metadata": {"client_id": "aimed", "client_secret": "aimed", "token_endpoint_auth_method": "client_secret_basic"}},
    {"oauth_client_metadata": {"client_nmae": "Aimed", "contacts": "aimed"}},
    {"registration": {"method": "dcr", "replace": "ask"}, "tools": {"allowed": ["search"]}},
    {},
    None,
]
SCOPES = ["mcp_integrations.read", "mcp_servers.write", "workspaces.list"]


class Targets:
    """Changes cases before they are sent. What it does depends on the case, and on how many there were of its operation."""

    def __init__(self, scenario):
        self.things = scenario.things
        self.fitting = scenario.fitting
        self.upstream = scenario.upstream
        self.count = 0
        self.asked = Counter()

    def take(self, case):
        """Aims `case`, once: what checks send again is already aimed, and says where it comes from."""
        if "x-forwarded-for" in (case.headers or {}):
            return
        # Cases share what they have in common: each gets its own.
        headers = case.headers = CaseInsensitiveDict(case.headers or {})
        case.path_parameters = dict(case.path_parameters or {})
        case.query = dict(case.query or {})
        self.count += 1
        body = "" if case.body is NOT_SET else case.body
        # Keys are new in every run; the same case again is aimed at something else.
        asked = [(name, value) for name, value in sorted(headers.items()) if name.lower() not in ("authorization", "x-portkey-api-key")]
        label = case.operation.label
        self.asked[label] += 1
        said = repr((label, self.asked[label], case.method, case.path_parameters, case.query, body, asked))
        dice = random.Random(said)
        headers["x-forwarded-for"] = f"10.{self.count >> 16 & 255}.{self.count >> 8 & 255}.{self.count & 255}"
        side = dice.choice(SIDES)
        # To schemathesis events are no text; `tests/it/api/rollouts.rs` reads them.
        is_stream = case.operation.path.endswith("/rollouts/{rollout}/events")
        if not is_stream and not negative(case, ParameterLocation.PATH):
            self.path(case, side, dice)
        if not negative(case, ParameterLocation.QUERY):
            self.query(case, side, dice)
        if not negative(case, ParameterLocation.HEADER):
            self.headers(case, dice)
        if not negative(case, ParameterLocation.BODY):
            case.body = self.body(case.body, side, dice)
        self.confine(case)

    def thing(self, kind, side, dice):
        found = self.things[side].get(kind) or self.things["own"].get(kind)
        return dice.choice(found) if found else None

    def path(self, case, side, dice):
        fitting = self.fitting.get(case.operation.definition.raw.get("operationId"))
        if fitting and dice.random() < 0.5:
            case.path_parameters |= dice.choice(fitting)
            return
        for name in case.path_parameters:
            if dice.random() < 0.1:
                continue
            if name == "number":
                case.path_parameters[name] = dice.choice([1, 1, 2, 3])
            elif thing := self.thing(name, side, dice):
                case.path_parameters[name] = thing

    def query(self, case, side, dice):
        query = case.query
        for name in list(query):
            kind = NAMES.get(name)
            if kind and (thing := self.thing(kind, side, dice)):
                query[name] = thing
            elif name in ("search", "current_page", "action", "kind", "format", "version", "state", "result") and dice.random() < 0.7:
                del query[name]
        # An unanswered poll would take long.
        if "wait" in query or case.operation.path.endswith("/gateway/changes"):
            query["wait"] = "0"

    def headers(self, case, dice):
        for name in ("If-Match", "If-None-Match"):
            if name in case.headers:
                choice = dice.choice(['"1"', '"2"', "*", None, None, case.headers[name]])
                if choice is None:
                    del case.headers[name]
                else:
                    case.headers[name] = choice

    def body(self, body, side, dice):
        if not isinstance(body, dict):
            return body
        body = dict(body)
        for name, value in body.items():
            if name in NAMES and isinstance(value, str):
                body[name] = self.thing(NAMES[name], side, dice) or value
            elif name == "configurations" and isinstance(value, dict):
                body[name] = dice.choice(CONFIGURATIONS)
            elif name == "text" and isinstance(value, str) and dice.random() < 0.7:
                body[name] = json.dumps(dice.choice(CONFIGURATIONS))
            elif name == "url" and isinstance(value, str):
                body[name] = self.upstream
            elif name == "slug" and isinstance(value, str) and dice.random() < 0.2:
                body[name] = self.thing("integration", side, dice)
            elif name == "scopes" and value:
                body[name] = [dice.choice(SCOPES) for _ in value]
            elif name == "expires_at" and isinstance(value, str):
                body[name] = "2099-01-01T00:00:00Z"
            elif name == "wait" and isinstance(value, int):
                body[name] = 0
            elif name == "secret_mappings" and value:
                body[name] = [self.mapping(dice)]
            elif name == "workspaces" and isinstance(value, list):
                body[name] = [self.workspace(one, side, dice) for one in value if isinstance(one, dict)]
            elif name == "integrations" and isinstance(value, list):
                body[name] = [self.integration(number, dice) for number, _ in enumerate(value)]
        return body

    def mapping(self, dice):
        name = dice.choice(["own", "foreign", "unknown"])
        return {"target_field": "configurations.headers", "secret_reference_id": name, "value_format": "json"}

    def workspace(self, row, side, dice):
        row = self.body(row, side, dice)
        if "id" in row:
            row["id"] = self.thing("workspace", side, dice)
        return row

    def integration(self, number, dice):
        one = {"name": f"Imported {number}", "url": self.upstream, "auth_type": "oauth_auto", "transport": "http"}
        if dice.random() < 0.5:
            one["workspace"] = dice.choice(self.things["own"]["workspace"] + self.things["foreign"]["workspace"])
        return one

    def confine(self, case):
        """No URL leads beyond this machine: every URL leads to the sandbox."""
        case.query = self.confined(case.query)
        case.body = self.confined(case.body)

    def confined(self, value):
        if isinstance(value, str):
            return ADDRESS.sub(self.upstream, value)
        if isinstance(value, bytes):
            return ADDRESS.sub(self.upstream, value.decode("latin-1")).encode("latin-1")
        if isinstance(value, dict):
            return {name: self.confined(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.confined(item) for item in value]
        return value


def negative(case, location):
    """Whether the value is invalid on purpose."""
    component = case.meta.components.get(location) if case.meta else None
    return component is not None and component.mode == GenerationMode.NEGATIVE
