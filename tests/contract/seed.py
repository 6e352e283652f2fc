"""Fills a deployment with the same things twice: for the workspace `own`, and for one that is foreign to it.

Everything of the foreign one is recognised by its id, slug or name; every secret of both by its value.
"""

import json
import re
import sqlite3
import time
import uuid
from dataclasses import dataclass, field

import requests
from deployment import Deployment, Sandbox

PATIENCE = 30


class Secrets:
    """The planted secrets: each value occurs nowhere else."""

    def __init__(self):
        self.planted = {"own": [], "foreign": [], "organisation": []}
        self.values = {}
        declared = []
        for side, workspace in (("own", "own-team"), ("foreign", "zzf-team")):
            self.values[f"CONTRACT_{side.upper()}"] = json.dumps({"X-Mapped": self.new(side, "referenced")})
            declared.append(f'[secrets.{side}]\nenv = "CONTRACT_{side.upper()}"\nworkspaces = ["{workspace}"]\n')
        self.declared = "\n".join(declared)

    def new(self, side, what):
        value = f"canary-{side}-{what}-{len(self.planted[side])}-hU7q"
        self.planted[side].append(value)
        return value

    def all(self):
        return [value for values in self.planted.values() for value in values]


@dataclass
class Things:
    """What paths and bodies can name, of one side: kind → ids and slugs."""

    names: dict = field(default_factory=dict)

    def add(self, kind, *names):
        self.names.setdefault(kind, []).extend(str(name) for name in names)


@dataclass
class Scenario:
    """What is there."""

    keys: dict
    admin_key: str
    things: dict
    # Operation → what its path must name for it to do something, where hardly anything fits.
    fitting: dict
    foreign_marks: list
    secrets: dict
    upstream: str


class Admin:
    """An admin, over the API."""

    def __init__(self, url, key):
        self.url = url
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {key}"

    def ask(self, method, path, body=None):
        reply = self.session.request(method, self.url + path, json=body, timeout=20)
        if not reply.ok:
            raise SystemExit(f"{method} {path} while seeding: {reply.status_code} {reply.text}")
        return reply.json()

    def look(self, path):
        """What is there, or that nothing is."""
        reply = self.session.get(self.url + path, timeout=20)
        return reply.json() if reply.ok else {"gone": reply.status_code}

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None):
        return self.ask("POST", path, body)

    def put(self, path, body):
        return self.ask("PUT", path, body)


def seed(deployment: Deployment, secrets: Secrets, sandboxes: dict[str, Sandbox]) -> Scenario:
    """Fills the deployment, which serves, and waits until its worker has nothing left to do."""
    admin = Admin(deployment.url, deployment.run("key", "create", "--name", "contract admin", "--role", "admin"))
    seeder = Seeder(deployment, admin, secrets, sandboxes)
    return seeder.scenario()


class Seeder:
    def __init__(self, deployment, admin, secrets, sandboxes):
        self.deployment, self.admin, self.secrets, self.sandboxes = deployment, admin, secrets, sandboxes
        self.things = {side: Things() for side in ("own", "foreign", "organisation")}
        self.marks = {"own": set(), "foreign": set(), "organisation": set()}
        self.invites = []

    def scenario(self):
        self.organisation()
        self.side("own", "own")
        self.side("foreign", "zzf")
        self.member_of_both()
        self.settle()
        self.rollout()
        for side in ("own", "foreign"):
            self.registrations(side)
        keys = self.identities()
        self.issued(keys["gateway"])
        self.outdate()
        admin_key = self.admin.session.headers["authorization"].removeprefix("Bearer ")
        self.secrets.planted["organisation"] += [admin_key, *keys.values()]
        return Scenario(
            keys=keys,
            admin_key=admin_key,
            things={side: things.names for side, things in self.things.items()},
            fitting=self.fitting(),
            foreign_marks=sorted(self.marks["foreign"]),
            secrets=self.secrets.planted,
            upstream=self.sandboxes["good"].mcp_url,
        )

    def made(self, side, kind, answer, *names):
        """Notes a thing under its names; they are the marks of its side."""
        names = [answer["id"], *names]
        self.things[side].add(kind, *names)
        self.marks[side].update(names)
        return answer["id"]

    def configuration(self, side, prefix, what):
        return {
            "oauth_client_metadata": {"client_name": f"Gateway of {prefix} {what}", "contacts": [f"{prefix}@example.com"]},
            "headers": {"X-Key": self.secrets.new(side, f"header-{what}")},
            "passthrough_headers": {"X-Tenant": self.secrets.new(side, f"passed-{what}")},
            "jwt_validation": {
                "introspectEndpoint": "http://127.0.0.1:9/introspect",
                "introspectClientId": "gateway",
                "introspectClientSecret": self.secrets.new(side, f"introspection-{what}"),
            },
        }

    def organisation(self):
        """What belongs to no workspace: a layer, two integrations, people, keys."""
        for round_ in range(2):
            body = {"configurations": self.configuration("organisation", "org", f"layer-{round_}")}
            self.admin.put("/v1/organisation/configuration", body)
        for slug, url in (("shared", self.sandboxes["good"].mcp_url), ("shared-other", self.sandboxes["lossy"].mcp_url)):
            body = {
                "name": f"Shared {slug}",
                "slug": slug,
                "url": url,
                "auth_type": "oauth_auto",
                "transport": "http",
                "configurations": self.configuration("organisation", "org", slug),
            }
            self.made("organisation", "integration", self.admin.post("/v1/mcp-integrations", body), slug)
        self.person("organisation", "org", {"role": "manager"})

    def side(self, side, prefix):
        """One workspace with everything that a workspace can have."""
        team = f"{prefix}-team"
        answer = self.admin.post("/v1/workspaces", {"name": f"Team {prefix} marked", "slug": team})
        self.made(side, "workspace", answer, team)
        self.marks[side].add(f"Team {prefix} marked")
        self.person(side, prefix, {"workspaces": [{"workspace_id": team, "role": "manager"}]})
        self.invited(prefix, team)
        self.things[side].add("secret", side)
        for number in range(2):
            key = self.admin.post("/v1/api-keys", {"name": f"{prefix} spare {number}", "role": "viewer", "workspace_id": team})
            self.secrets.planted[side].append(key["key"])
            self.made(side, "key", key)
        kinds = {
            "plain": {"url": self.sandboxes["good"].mcp_url},
            "lossy": {"url": self.sandboxes["lossy"].mcp_url},
            "refused": {"url": self.sandboxes["refusing"].mcp_url},
            "by-hand": {"url": self.sandboxes["good"].mcp_url},
            "outdated": {"url": self.sandboxes["unmanaged"].mcp_url},
        }
        for kind, body in kinds.items():
            slug = f"{prefix}-{kind}"
            configuration = self.configuration(side, prefix, kind)
            if kind == "by-hand":
                configuration["oauth_client_metadata"] |= {
                    "client_id": f"{prefix}-client",
                    "client_secret": self.secrets.new(side, "client"),
                }
            if kind == "refused":
                configuration["registration"] = {"initial_access_token": self.secrets.new(side, "initial")}
            body |= {"name": f"Integration {slug} marked", "slug": slug, "workspace_id": team, "configurations": configuration}
            answer = self.admin.post("/v1/mcp-integrations", body | {"auth_type": "oauth_auto", "transport": "http"})
            self.made(side, "integration", answer, slug)
            self.marks[side].add(f"Integration {slug} marked")
            self.server(side, prefix, team, slug)
        body = {
            "name": f"Integration {prefix}-mapped marked",
            "slug": f"{prefix}-mapped",
            "workspace_id": team,
            "url": self.sandboxes["good"].mcp_url,
            "auth_type": "headers",
            "transport": "http",
            "secret_mappings": [
                {"target_field": "configurations.headers", "secret_reference_id": side, "value_format": "json"},
            ],
        }
        answer = self.admin.post("/v1/mcp-integrations", body)
        self.made(side, "integration", answer, f"{prefix}-mapped")
        self.server(side, prefix, team, f"{prefix}-mapped")
        # A layer of the workspace over an integration of the organisation, twice: it has a history.
        for round_ in range(2):
            row = {"id": team, "enabled": True, "configurations": self.configuration(side, prefix, f"access-{round_}")}
            self.admin.put("/v1/mcp-integrations/shared/workspaces", {"workspaces": [row]})
        self.server(side, prefix, team, "shared")
        self.draft(side, prefix, team)

    def server(self, side, prefix, team, integration):
        slug = f"{prefix}-server-{integration}"
        if integration.endswith("-mapped"):
            body = {"name": f"Server {slug} marked", "slug": slug, "mcp_integration_id": integration, "workspace_id": team}
            self.made(side, "server", self.admin.post("/v1/mcp-servers", body), slug)
            return
        body = {
            "name": f"Server {slug} marked",
            "slug": slug,
            "mcp_integration_id": integration,
            "workspace_id": team,
            "configurations": self.configuration(side, prefix, slug),
        }
        server = self.made(side, "server", self.admin.post("/v1/mcp-servers", body), slug)
        self.marks[side].add(f"Server {slug} marked")
        body = {"configurations": self.configuration(side, prefix, f"{slug}-again")}
        self.admin.put(f"/v1/mcp-servers/{server}", body)

    def person(self, side, prefix, roles):
        email = f"{prefix}-person@example.com"
        answer = self.admin.post("/v1/users", {"email": email, "name": f"Person of {prefix} marked"} | roles)
        user = self.made(side, "user", answer)
        self.marks[side] |= {email, f"Person of {prefix} marked"}
        self.sign_in(user)
        for session in self.admin.get(f"/v1/users/{user}/sessions")["data"]:
            self.things[side].add("session", session["id"])
            self.marks[side].add(session["id"])

    def invited(self, prefix, team):
        """A user who has not signed in yet."""
        roles = {"workspaces": [{"workspace_id": team, "role": "viewer"}]}
        answer = self.admin.post("/v1/users", {"email": f"{prefix}-invited@example.com"} | roles)
        self.invites.append({"user": answer["id"]})

    def member_of_both(self):
        """A user with a role in each workspace: a user's last role cannot be taken away."""
        roles = [{"workspace_id": team, "role": "viewer"} for team in ("own-team", "zzf-team")]
        answer = self.admin.post("/v1/users", {"email": "both@example.com", "workspaces": roles})
        self.memberships = [{"workspace": role["workspace_id"], "user": answer["id"]} for role in roles]

    def sign_in(self, user):
        """A browser in which this person is signed in."""
        link = self.admin.post(f"/v1/users/{user}/sign-in-link")["sign_in_link"]
        browser = requests.Session()
        form = {"token": re.search(r"token=([^&]+)", link).group(1)}
        self.submit(browser, "/ui/sign-in/link", form)
        return browser

    def submit(self, browser, path, form):
        headers = {"origin": self.deployment.url, "sec-fetch-site": "same-origin"}
        reply = browser.post(self.deployment.url + path, data=form, headers=headers, allow_redirects=False, timeout=20)
        if reply.status_code != 303:
            raise SystemExit(f"POST {path} while seeding: {reply.status_code}")

    def draft(self, side, prefix, team):
        """A draft of an integration, with a secret in it."""
        answer = self.admin.post("/v1/users", {"email": f"{prefix}-drafter@example.com", "role": "admin"})
        browser = self.sign_in(answer["id"])
        name = f"Draft of {prefix} marked"
        url = f"{self.sandboxes['good'].mcp_url}?draft={prefix}"
        self.submit(browser, "/ui/integrations/new", {"url": url, "name": name, "intent": "draft"})
        self.things["organisation"].add("user", answer["id"])
        self.marks[side].add(name)

    def settle(self):
        """Waits until the worker has nothing left to do: what changes later was changed by a request."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if not self.under_way():
                return
            time.sleep(0.05)
        raise SystemExit(f"the worker does not come to rest: {self.under_way()} registrations are under way")

    def under_way(self):
        """Registrations that a worker has in hand, or takes in hand soon. Only the database knows."""
        database = sqlite3.connect(f"file:{self.deployment.folder}/registry.sqlite?mode=ro", uri=True)
        try:
            soon = int(time.time() * 1000) + 10_000
            query = "SELECT count(*) FROM registration WHERE lease_until > 0 OR due_at <= ?"
            return database.execute(query, [soon]).fetchone()[0]
        finally:
            database.close()

    def rollout(self):
        """A rollout that has ended just now: old ones are removed. A real one needs more than 100 servers."""
        now = int(time.time() * 1000)
        one = uuid.UUID("01a21b31-0000-7000-8000-000000000001")
        values = {
            "id": one.bytes, "kind": "organisation", "revision": 1, "because": "configuration saved", "holds_replacements": False,
            "state": "done", "total": 0, "total_is_exact": True, "processed": 0, "refused": 0, "canary_size": 0, "canary_passed": True,
            "affected": json.dumps(dict.fromkeys((
                "reached", "servers", "registrations", "registered", "updated", "rediscovered", "replaced", "asked", "withdrawn",
            ), 0) | {"estimated": False}),
            "lease_until": 0, "created_at": now, "created_by": "seed", "updated_at": now, "finished_at": now,
        }
        database = sqlite3.connect(f"{self.deployment.folder}/registry.sqlite", timeout=30)
        with database:
            marks = ", ".join("?" * len(values))
            database.execute(f"INSERT INTO rollout ({', '.join(values)}) VALUES ({marks})", list(values.values()))
        database.close()
        for side in ("own", "organisation"):
            self.things[side].add("rollout", str(one))

    def registrations(self, side):
        team = self.things[side].names["workspace"][0]
        found = self.admin.get(f"/v1/registrations?page_size=1000&workspace_id={team}")["data"]
        # In an order that is the same in every run.
        for one in sorted(found, key=lambda one: one["server_slug"]):
            self.made(side, "registration", one)
        for one in self.admin.get("/v1/orphans?page_size=1000")["data"]:
            if one["workspace_id"] == team:
                self.made(side, "orphan", one)

    def issued(self, gateway):
        """The secrets that authorization servers issued are secrets too."""
        documents = Admin(self.deployment.url, gateway).get("/v1/gateway/servers?page_size=500")["data"]
        for document in documents:
            secret = document.get("client", {}).get("client_secret")
            if secret and secret not in self.secrets.all():
                self.secrets.planted["own" if document["workspace"] == "own-team" else "foreign"].append(secret)

    def outdate(self):
        """Leaves one client of each side with a replacement pending approval."""
        for side, prefix in (("own", "own"), ("foreign", "zzf")):
            body = {"configurations": self.configuration(side, f"{prefix} later", "outdated")}
            self.admin.put(f"/v1/mcp-integrations/{prefix}-outdated?hold_replacements=true", body)
            server = f"/v1/mcp-servers/{prefix}-server-{prefix}-outdated"
            body = {"configurations": self.configuration(side, f"{prefix} later", "outdated")}
            self.admin.put(f"{server}?hold_replacements=true", body)
        self.settle()

    def fitting(self):
        """One of each side."""
        found = self.admin.get("/v1/registrations?page_size=1000&state=outdated")["data"]
        outdated = [{"registration": one["id"]} for one in sorted(found, key=lambda one: one["server_slug"])]
        layers = [{"integration": "shared", "workspace": team, "number": 1} for team in ("own-team", "zzf-team")]
        return {
            "approve_registration": outdated,
            "skip_registration": outdated,
            "revert_access": layers,
            "delete_invite": self.invites,
            "resend_invite": self.invites,
            "remove_workspace_member": self.memberships,
        }

    def identities(self):
        """A key for each role, in the whole organisation and in `own`; and keys whose scopes are narrower than their role."""
        keys = {}
        team = self.things["own"].names["workspace"][1]
        scoped = ["mcp_integrations.read", "mcp_servers.read", "registrations.read", "workspaces.list"]
        wanted = {role: {"role": role} for role in ("gateway", "viewer", "manager", "admin")}
        wanted |= {f"{role} of a workspace": {"role": role, "workspace_id": team} for role in list(wanted)}
        wanted["admin with reading scopes"] = {"role": "admin", "scopes": scoped}
        for name, body in wanted.items():
            keys[name] = self.admin.post("/v1/api-keys", {"name": name} | body)["key"]
        return keys
