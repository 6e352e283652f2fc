"""Starts and stops what is measured: the registry on either database, the bare server, ContextForge."""

import http.client
import json
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import tempfile
import time

TARGET = os.environ["BENCH_TARGET"]
REGISTRY = f"{TARGET}/mcp-registry"
SEALING_KEY = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
RUNNING = []


class Program:
    """A process with a port."""

    def __init__(self, command, environment=None, folder=None, ready=None):
        self.log = tempfile.TemporaryFile("w+")
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE if ready else subprocess.DEVNULL, stderr=self.log,
        )
        RUNNING.append(self)
        self.said = None
        if ready:
            for line in self.process.stdout:
                self.said = re.search(ready, line)
                if self.said:
                    break
            else:
                raise RuntimeError(f"{command} ended: {self.errors()}")

    def errors(self):
        self.log.seek(0)
        return self.log.read()[-2000:]

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def stop(self):
        if self in RUNNING:
            RUNNING.remove(self)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def stop_all():
    for one in list(RUNNING):
        one.stop()


class Database:
    """A fresh database of either kind, and SQL in it."""

    def __init__(self, kind):
        self.kind = kind
        self.folder = tempfile.TemporaryDirectory(prefix="mcp-registry-bench.")
        if kind == "sqlite":
            self.path = f"{self.folder.name}/registry.sqlite"
            self.url = f"sqlite://{self.path}?mode=rwc"
        else:
            name = f"bench_{secrets.token_hex(4)}"
            base = os.environ["BENCH_POSTGRES"]
            subprocess.run([os.environ["BENCH_PSQL"], base, "-qc", f"CREATE DATABASE {name}"], check=True)
            self.url = base.rsplit("/", 1)[0] + "/" + name

    def run(self, sql):
        if self.kind == "sqlite":
            db = sqlite3.connect(self.path, timeout=30)
            db.executescript(sql)
            db.close()
        else:
            command = [os.environ["BENCH_PSQL"], self.url, "-qXv", "ON_ERROR_STOP=1"]
            subprocess.run(command, input=sql, text=True, check=True, stdout=subprocess.DEVNULL)

    def rows(self, sql):
        if self.kind == "sqlite":
            db = sqlite3.connect(self.path, timeout=30)
            found = [tuple(map(str, row)) for row in db.execute(sql)]
            db.close()
            return found
        command = [os.environ["BENCH_PSQL"], self.url, "-qXAtc", sql]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return [tuple(line.split("|")) for line in lines]

    def columns(self, table):
        if self.kind == "sqlite":
            return [row[0] for row in self.rows(f"SELECT name FROM pragma_table_info('{table}')")]
        return [row[0] for row in self.rows(
            f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
        )]


class Installation:
    """The registry on one database."""

    def __init__(self, kind):
        self.database = Database(kind)
        self.environment = {
            "MCP_REGISTRY__DATABASE__URL": self.database.url,
            "MCP_REGISTRY__SEALING__KEYS": SEALING_KEY,
            "MCP_REGISTRY__SERVER__LISTEN": "127.0.0.1:0",
            "MCP_REGISTRY__EGRESS__ALLOW_HTTP_LOOPBACK": "true",
            "MCP_REGISTRY__LOG__LEVEL": "warn",
            "MCP_REGISTRY__WORKER__ISSUER_RATE__BURST": "60000",
            "MCP_REGISTRY__WORKER__ISSUER_RATE__PER_MINUTE": "60000",
            "MCP_REGISTRY__LIMITS__BURST": "1000000",
            "MCP_REGISTRY__LIMITS__PER_SECOND": "1000000",
            "MCP_REGISTRY__GATEWAY__MEMORY": "4096",
        }
        self.command("migrate")
        self.admin = self.command("key", "create", "--name", "admin", "--role", "admin")
        self.gateway = self.command("key", "create", "--name", "gateway", "--role", "gateway")

    def command(self, *arguments):
        ended = subprocess.run(
            [REGISTRY, *arguments], env={**os.environ, **self.environment}, cwd=self.database.folder.name,
            check=True, capture_output=True, text=True,
        )
        return ended.stdout.strip()

    def serve(self, *arguments):
        program = Program(
            [REGISTRY, "serve", *arguments], self.environment, self.database.folder.name, r"listening on http://127\.0\.0\.1:(\d+)"
        )
        program.port = int(program.said.group(1))
        return program

    def work(self):
        return Program([REGISTRY, "work"], self.environment, self.database.folder.name)

    def seed(self, servers):
        """A registered client of the sandbox, with `servers` servers like it; a secret in the first thousand documents."""
        sandbox = start_sandbox()
        serving = self.serve()
        call = lambda *request: api(serving.port, self.admin, *request)
        call("POST", "/v1/workspaces", {"name": "Acme", "slug": "acme"})
        call("POST", "/v1/mcp-integrations", {
            "name": "Bench", "slug": "bench", "url": sandbox.mcp_url, "auth_type": "oauth_auto", "transport": "http",
            "configurations": {"oauth_client_metadata": {
                "client_name": "Acme Corp MCP Gateway", "client_uri": "https://acme.com",
                "contacts": ["security@acme.com"], "tos_uri": "https://acme.com/legal/terms",
                "policy_uri": "https://acme.com/legal/privacy", "token_endpoint_auth_method": "client_secret_basic",
            }},
        })
        call("POST", "/v1/mcp-servers", {
            "name": "Bench", "slug": "bench", "mcp_integration_id": "bench", "workspace_id": "acme",
        })
        wait(lambda: call("GET", "/v1/registrations")["data"][0]["state"] == "registered", "the registration")
        call("POST", "/v1/mcp-integrations", {
            "name": "Beside", "slug": "beside", "url": "https://mcp.example.com/mcp", "auth_type": "none", "transport": "http",
        })
        call("POST", "/v1/mcp-servers", {
            "name": "Beside", "slug": "beside", "mcp_integration_id": "beside", "workspace_id": "acme",
        })
        serving.stop()
        sandbox.stop()
        self.multiply(servers - 1)

    def multiply(self, copies):
        """Copies the server `bench` with its registration and client, in SQL."""
        if copies < 1:
            return
        database = self.database
        new_id = "randomblob(16)" if database.kind == "sqlite" else "gen_random_uuid()"
        series = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})"
        number = "CAST(substr(other.slug, 7) AS INTEGER)"

        def copy(table, changed, source):
            columns = database.columns(table)
            values = ", ".join(changed.get(column, f"one.{column}") for column in columns)
            return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {source};\n"

        sql = "BEGIN;\n" + f"INSERT INTO server ({', '.join(database.columns('server'))}) {series} SELECT " + ", ".join(
            {"id": new_id, "slug": "one.slug || '-' || n.i", "slug_key": "one.slug_key || '-' || n.i"}.get(c, f"one.{c}")
            for c in database.columns("server")
        ) + " FROM server one, n WHERE one.slug = 'bench';\n"
        sql += copy("registration", {"id": new_id, "server_id": "other.id"},
                    "registration one JOIN server base ON base.id = one.server_id AND base.slug = 'bench', server other "
                    "WHERE other.slug LIKE 'bench-%'")
        sql += copy("oauth_client", {
            "id": new_id, "registration_id": "theirs.id", "client_id": "one.client_id || '-' || substr(other.slug, 7)",
            "client_secret_id": f"CASE WHEN {number} < 1000 THEN one.client_secret_id END", "fetched_at": "1",
        }, "oauth_client one JOIN registration mine ON mine.id = one.registration_id "
           "JOIN server base ON base.id = mine.server_id AND base.slug = 'bench', "
           "server other JOIN registration theirs ON theirs.server_id = other.id WHERE other.slug LIKE 'bench-%'")
        sql += (
            "INSERT INTO change (revision, kind, workspace_id, server_id, at) "
            f"SELECT (SELECT revision FROM sequence) + {number}, 'server.changed', other.workspace_id, other.id, 1 "
            "FROM server other WHERE other.slug LIKE 'bench-%';\n"
            f"UPDATE sequence SET revision = revision + {copies};\nCOMMIT;\nANALYZE;\n"
        )
        database.run(sql)


def start_sandbox():
    sandbox = Program([REGISTRY, "sandbox"], ready=r"^ready (\{.*\})$")
    sandbox.mcp_url = json.loads(sandbox.said.group(1))["mcp_url"]
    return sandbox


def api(port, key, method, path, body=None):
    """One call with JSON; raises on any refusal."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {text[:500]}")
    return json.loads(text) if text else None


def wait(done, what, patience=300, pause=0.02):
    began = time.perf_counter()
    while not done():
        if time.perf_counter() - began > patience:
            raise RuntimeError(f"{what}: not within {patience} s")
        time.sleep(pause)
    return time.perf_counter() - began


def start_bare(documents, key):
    """The bare server with these documents, `{name: body}`."""
    folder = tempfile.TemporaryDirectory(prefix="mcp-registry-bench.")
    with open(f"{folder.name}/documents", "w") as file:
        file.writelines(f"{name}\t{body}\n" for name, body in documents.items())
    port = free_port()
    program = Program([f"{TARGET}/bare-actix", str(port), key, f"{folder.name}/documents"])
    program.port, program.folder = port, folder
    wait(lambda: answers(port), "the bare server", 20)
    return program


def start_contextforge():
    """ContextForge with one registered tool-less gateway record; None where it is not installed."""
    command = os.environ["BENCH_CONTEXTFORGE"]
    if not os.access(command, os.X_OK):
        return None
    folder = tempfile.TemporaryDirectory(prefix="mcp-registry-bench.")
    port, secret = free_port(), secrets.token_hex(32)
    environment = {
        "JWT_SECRET_KEY": secret, "AUTH_ENCRYPTION_SECRET": secret, "BASIC_AUTH_PASSWORD": secret,
        "DATABASE_URL": "sqlite:///./contextforge.db", "MCPGATEWAY_UI_ENABLED": "false",
        "PLATFORM_ADMIN_EMAIL": "admin@example.com", "PLATFORM_ADMIN_PASSWORD": "Passw0rd-" + secret[:8],
        "LOG_LEVEL": "ERROR", "RATE_LIMITING_ENABLED": "false", "MCPGATEWAY_ADMIN_API_ENABLED": "true",
    }
    program = Program([command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"], environment, folder.name)
    program.port, program.folder = port, folder
    wait(lambda: answers(port), "ContextForge", 90)
    program.started = time.perf_counter() - program.began
    token = subprocess.run(
        [f"{os.path.dirname(command)}/python", "-m", "mcpgateway.utils.create_jwt_token", "--username", "admin@example.com",
         "--exp", "10080", "--secret", secret, "--admin"],
        env={**os.environ, **environment}, cwd=folder.name, check=True, capture_output=True, text=True,
    ).stdout.strip().splitlines()[-1]
    made = api(port, token, "POST", "/servers", {"server": {"name": "bench", "description": "one record"}})
    program.token, program.path = token, f"/servers/{made['id']}"
    api(port, token, "GET", program.path)
    return program


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/health")
        connection.getresponse().read()
        connection.close()
        return True
    except OSError:
        return False
