"""One identity asks everything that the document offers."""

import time
from collections import Counter
from dataclasses import dataclass

import requests.sessions
import schemathesis
import state
from targets import Targets, negative
from checks import Checks
from deployment import Deployment
from seed import Admin, Scenario
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import Status, events, from_schema

CHECKS_OF_SCHEMATHESIS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]
# Everything is on loopback. To look for a proxy in the environment at each request took an eighth of the time.
requests.sessions.get_environ_proxies = lambda *_arguments, **_named: {}
REFUSED = ["400", "401", "403", "404", "405", "409", "415", "422"]
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


@dataclass(frozen=True)
class Identity:
    """Who asks."""

    name: str
    role: str | None = None
    # Whether it may see the whole organisation.
    whole: bool = True
    # Whether nothing it asks may change anything.
    silent: bool = True
    # Whether the short form asks as it too: one of each kind.
    short: bool = False


IDENTITIES = [
    Identity("nobody", whole=False, short=True),
    Identity("garbage", whole=False),
    Identity("gateway", "gateway", short=True),
    Identity("gateway of a workspace", "gateway", whole=False),
    Identity("viewer", "viewer"),
    Identity("viewer of a workspace", "viewer", whole=False, short=True),
    Identity("manager", "manager", silent=False),
    Identity("manager of a workspace", "manager", whole=False, silent=False, short=True),
    Identity("admin", "admin", silent=False, short=True),
    Identity("admin of a workspace", "admin", whole=False, silent=False),
    Identity("admin with reading scopes", "admin"),
]


class Campaign:
    """All operations, one after the other, each on the deployment as it was kept."""

    def __init__(self, identity: Identity, scenario: Scenario, deployment: Deployment, copy, examples: int):
        self.identity, self.scenario, self.deployment, self.copy, self.examples = identity, scenario, deployment, copy, examples
        self.targets = Targets(scenario)
        self.admin = Admin(deployment.url, scenario.admin_key)
        self.label = None
        self.writes = 0
        self.requests = Counter()
        self.answers = Counter()
        self.failures = {}

    def credential(self):
        return {"nobody": None, "garbage": "mcpr_this-is-no-key-at-all"}.get(self.identity.name, self.scenario.keys.get(self.identity.name))

    def headers(self):
        credential = self.credential()
        if credential is None:
            return {}
        # One of the two doors for each half of the identities.
        if self.identity.whole:
            return {"Authorization": f"Bearer {credential}"}
        return {"x-portkey-api-key": credential}

    def run(self, document, only):
        """Sends the requests; problems are in `failures` afterwards."""
        began = time.monotonic()
        self.deployment.put_back(self.copy)
        self.before = self.look()
        schema = schemathesis.openapi.from_dict(document, config=self.config())
        if only:
            schema = schema.include(operation_id=only)
        self.listen()
        for event in from_schema(schema).execute():
            self.note(event)
        self.turn(None, end=True)
        self.judge_log()
        self.deployment.stop()
        self.seconds = time.monotonic() - began

    def config(self):
        checks = Checks(self.scenario, self.identity).all()
        for check in checks:
            CHECKS.register(check)
        names = [*CHECKS_OF_SCHEMATHESIS, *(check.__name__ for check in checks)]
        generation = {"deterministic": True, "max-examples": self.examples, "no-shrink": True, "with-security-parameters": False}
        return SchemathesisConfig.from_dict(
            {
                "base-url": self.deployment.url,
                "headers": self.headers(),
                "workers": 1,
                "continue-on-failure": True,
                "request-timeout": 20,
                "max-redirects": 0,
                # The credential and the planted secrets are masked by `masked`; all else is needed to ask again.
                "output": {"sanitization": {"enabled": False}, "truncation": {"enabled": True}},
                "generation": generation,
                "phases": {
                    "examples": {"enabled": True, "extra-data-sources": {"responses": False}},
                    "coverage": {"extra-data-sources": {"responses": False}},
                    "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
                    "stateful": {"enabled": False},
                },
                "checks": {
                    "enabled": False,
                    **{name: {"enabled": True} for name in names},
                    # 412 is a refusal too: what was read is judged before what is sent.
                    "negative_data_rejection": {"enabled": True, "expected-statuses": [*REFUSED, "412", "413", "414"]},
                    # What is not built yet says so.
                    "not_a_server_error": {"enabled": True, "expected-statuses": ["2xx", "3xx", "4xx", "501"]},
                },
            }
        )

    def listen(self):
        # Plain functions: schemathesis sets attributes on them.
        @schemathesis.hook
        def before_call(context, case, kwargs):
            self.before_call(case)

        @schemathesis.hook
        def after_call(context, case, response):
            self.after_call(case, response)

        @schemathesis.hook
        def filter_failure(context, failure, case, response):
            # The open gateway is told to wait for a client.
            if response.status_code == 503 and case.operation.definition.raw.get("operationId") == "read_gateway_server":
                return False
            # Other methods of this path are those of a user named `invites`.
            if case.operation.label == "POST /v1/admin/users/invites" and response.request.method != "POST":
                return False
            if not isinstance(failure, AcceptedNegativeData):
                return True
            # What was wrong may have been aimed at something right; and leaving out a body that may be left out is no wrong.
            absent = case.body is NOT_SET and not case.operation.definition.raw.get("requestBody", {}).get("required")
            places = set(case.meta.components) - ({ParameterLocation.BODY} if absent else set())
            wrong = any(negative(case, place) for place in places)
            # An empty query parameter counts as absent, as the document says.
            empty = {name for name, value in (case.query or {}).items() if value == ""}
            return wrong and case.meta.phase.data.parameter not in empty

    def before_call(self, case):
        if case.operation.label != self.label:
            self.turn(case.operation.label)
        self.targets.take(case)

    def after_call(self, case, response):
        self.requests[case.operation.label] += 1
        self.answers[case.operation.label, response.status_code] += 1
        if response.request.method not in SAFE and response.status_code < 400:
            self.writes += 1

    def look(self):
        if self.identity.whole and not self.identity.silent:
            # It may change everything.
            return {}
        things = self.scenario.things["foreign"]
        foreign = {"mcp-integrations": things["integration"][::2], "mcp-servers": things["server"][::2]}
        return state.untouchable(state.seen(self.admin, foreign), self.identity, self.scenario.things["own"]["workspace"][0])

    def turn(self, label, end=False):
        """Before the next operation: did this one leave alone what it must, and is all as it was?"""
        if self.writes or end:
            different = list(state.changed(self.before, self.look()))
            if different:
                self.fail(self.label or "?", "nothing_else_changes", "\n  ".join(["Something else was changed:", *different[:3]]), "")
            if not end and (different or not self.identity.silent):
                self.deployment.put_back(self.copy)
        self.writes = 0
        self.label = label

    def note(self, event):
        if isinstance(event, events.ScenarioFinished):
            for case, nodes in event.recorder.checks.items():
                for node in nodes:
                    if node.status == Status.FAILURE:
                        failure = node.failure_info.failure
                        answer = event.recorder.interactions[failure.case_id or case].response
                        shown = f"{answer.status_code} {answer.content[:400]!r}" if answer else ""
                        said = f"{failure.title}: {failure.message}"
                        self.fail(event.label, node.name, f"{said}\n{shown}", node.failure_info.code_sample)
                    elif node.status == Status.ERROR:
                        self.fail(event.label, node.name, "the check broke", "")
        elif isinstance(event, events.NonFatalError):
            self.fail(event.label, "error", f"{event.value!r}", event.info.code_sample or "")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.Interrupted):
            self.fail("all", "interrupted", "the campaign was interrupted", "")

    def fail(self, label, check, message, curl):
        """One failure of each kind for each operation is enough to read; the first is shown, all are counted."""
        title = message.split(":")[0]
        known = self.failures.setdefault((label, check, title), [0, self.masked(message), self.masked(curl)])
        known[0] += 1

    def masked(self, text):
        for name, secret in [("CREDENTIAL", self.credential())]:
            if secret:
                text = text.replace(secret, f"${name}")
        for values in self.scenario.secrets.values():
            for value in values:
                text = text.replace(value, "[secret]")
        return text

    def judge_log(self):
        log = self.deployment.log()
        for line in log.splitlines():
            if "internal error" in line or "panicked" in line:
                self.fail("log", "no_internal_error", line, "")
        for values in self.scenario.secrets.values():
            if any(value in log for value in values):
                self.fail("log", "no_secret", "the log holds a secret", "")
