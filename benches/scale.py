"""What grows with the estate and what does not: rollouts, lists, new servers, registrations, memory. Part of `benches/run`;
`benches/run --scale` measures only this. docs/benchmarks.md explains."""

import http.client
import json
import os
import statistics
import subprocess
import threading
import time

from programs import TARGET, Installation, Program, api, start_sandbox, stop_all, wait

LISTS = (
    ("integrations", "/v1/mcp-integrations?page_size=25"),
    ("registrations", "/v1/registrations?page_size=25"),
    ("registrations, failed", "/v1/registrations?page_size=25&state=failed"),
    ("servers", "/v1/mcp-servers?page_size=25"),
    ("workspaces", "/v1/workspaces?page_size=25"),
    ("audit events", "/v1/audit-events?page_size=25"),
)


class Beside(threading.Thread):
    """One request after the other while something else goes on; how long each took, in ms."""

    def __init__(self, port, key, method, path, body):
        super().__init__(daemon=True)
        self.request = (port, key, method, path, body)
        self.took, self.going = [], True

    def run(self):
        port, key, method, path, body = self.request
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        while self.going:
            began = time.perf_counter()
            connection.request(method, path, json.dumps(body(len(self.took))) if body else None, headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            self.took.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.005)

    def end(self):
        self.going = False
        self.join()
        self.took.sort()
        return {"p50_ms": statistics.median(self.took), "p99_ms": self.took[int(len(self.took) * 0.99)], "max_ms": self.took[-1]}


class Memory(threading.Thread):
    """The most resident bytes of a process."""

    def __init__(self, program):
        super().__init__(daemon=True)
        self.program, self.most, self.going = program, 0, True

    def run(self):
        while self.going:
            self.most = max(self.most, self.program.memory())
            time.sleep(0.05)

    def end(self):
        self.going = False
        self.join()
        return self.most


def rollouts(results, sizes):
    """A change of the organisation's layer, with a writer and a gateway beside it."""
    found = results["rollouts"] = []
    for kind in ("sqlite", "postgres"):
        for servers in sizes:
            installed = Installation(kind)
            installed.seed(servers)
            serving = installed.serve()
            call = lambda *request: api(serving.port, installed.admin, *request)
            call("GET", "/v1/workspaces")
            time.sleep(2)
            rest = serving.memory()
            writer = Beside(serving.port, installed.admin, "PUT", "/v1/workspaces/acme", lambda n: {"description": str(n)})
            reader = Beside(serving.port, installed.gateway, "GET", f"/v1/gateway/servers/acme/bench-{servers // 2}", None)
            memory = Memory(serving)
            for one in (writer, reader, memory):
                one.start()
            began = time.perf_counter()
            saved = call("PUT", "/v1/organisation/configuration?canary_percent=0&max_failures=none",
                         {"configurations": {"headers": {"X-Round": "1"}}})
            answered = (time.perf_counter() - began) * 1e3
            if saved.get("rollout_id"):
                wait(lambda: call("GET", f"/v1/rollouts/{saved['rollout_id']}")["state"] == "done", "the rollout", 600)
            took = time.perf_counter() - began
            found.append({
                "side": kind, "servers": servers, "answered_ms": answered, "took_s": took, "writer": writer.end(),
                "reader": reader.end(), "memory_rest_bytes": rest, "memory_most_bytes": memory.end(),
            })
            stop_all()


def lists(results, sizes):
    """One page of each list, 50 times, over REST."""
    found = results["lists"] = []
    for kind in ("sqlite", "postgres"):
        for servers in sizes:
            installed = Installation(kind)
            installed.seed(servers)
            serving = installed.serve("--no-worker")
            if kind == "postgres":
                # Copying in SQL leaves what it counted to be added up, and statistics to be made: seconds, later a minute.
                wait(lambda: installed.database.rows("SELECT COUNT(*) FROM tally_delta")[0][0] == "0", "the counts", 120)
                installed.database.run("VACUUM ANALYZE")
            for name, path in LISTS:
                took = []
                for _ in range(50):
                    began = time.perf_counter()
                    api(serving.port, installed.admin, "GET", path)
                    took.append((time.perf_counter() - began) * 1e3)
                found.append({"side": kind, "servers": servers, "list": name, "p50_ms": statistics.median(took)})
            stop_all()


def processor_seconds(program):
    with open(f"/proc/{program.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare(kind, count):
    """The same registrations by the bare ORM."""
    installed = Installation(kind)
    sandbox = start_sandbox()
    endpoint = sandbox.mcp_url.rsplit("/", 1)[0] + "/register"
    program = Program([f"{TARGET}/bare-orm", installed.database.url, endpoint, str(count), "32"], ready=r"^([\d.]+)$")
    per_second = float(program.said.group(1))
    stop_all()
    return per_second


def registrations(results, count):
    """From the start of the workers until every server has its client at the sandbox, beside the bare ORM's work."""
    found = results["registrations_beside_orm"] = []
    for kind, workers in (("sqlite", 1), ("postgres", 2)):
        floor = bare(kind, count)
        installed = Installation(kind)
        # As many as the bare ORM has in progress.
        installed.environment["MCP_REGISTRY__WORKER__CONCURRENCY"] = "32"
        sandbox = start_sandbox()
        serving = installed.serve("--no-worker")
        call = lambda *request: api(serving.port, installed.admin, *request)
        call("POST", "/v1/workspaces", {"name": "Acme", "slug": "acme"})
        call("POST", "/v1/mcp-integrations", {
            "name": "Bench", "slug": "bench", "url": sandbox.mcp_url, "auth_type": "oauth_auto", "transport": "http",
        })
        began = time.perf_counter()
        for number in range(count):
            call("POST", "/v1/mcp-servers", {
                "name": f"S{number}", "slug": f"s-{number}", "mcp_integration_id": "bench", "workspace_id": "acme",
            })
        created = count / (time.perf_counter() - began)
        serving.stop()
        began = time.perf_counter()
        running = [installed.work() for _ in range(workers)]
        done = "SELECT COUNT(*) FROM registration WHERE state = 'registered'"
        # On PostgreSQL a look starts two processes.
        wait(lambda: installed.database.rows(done)[0][0] == str(count), "the registrations", pause=0.2)
        per_second = count / (time.perf_counter() - began)
        processor = sum(processor_seconds(one) for one in running) / count * 1e3
        found.append({
            "side": kind, "workers": workers, "count": count, "per_second": per_second, "processor_ms_each": processor,
            "bare_orm_per_second": floor, "created_per_second": created,
        })
        if kind == "postgres":
            # What copied servers do not have: the history of a creation and a registration.
            results["history_rows"] = table_sizes(installed.database, ("attempt", "audit_event", "sealed_value"), count)
        stop_all()


def writers(results, seconds):
    """Four people who create servers at once on PostgreSQL: in one workspace, and each in their own."""
    found = results["writers"] = []
    for workspaces in (1, 4):
        installed = Installation("postgres")
        serving = installed.serve("--no-worker")
        call = lambda *request: api(serving.port, installed.admin, *request)
        call("POST", "/v1/mcp-integrations", {
            "name": "Bench", "slug": "bench", "url": "https://mcp.example.com/mcp", "auth_type": "none", "transport": "http",
        })
        for number in range(workspaces):
            call("POST", "/v1/workspaces", {"name": f"W{number}", "slug": f"w-{number}"})
            call("POST", "/v1/mcp-servers", {"name": "First", "mcp_integration_id": "bench", "workspace_id": f"w-{number}"})
        ends, counts = time.perf_counter() + seconds, [0] * 4

        def create(writer):
            while time.perf_counter() < ends:
                slug = f"s-{writer}-{counts[writer]}"
                call("POST", "/v1/mcp-servers", {
                    "name": slug, "slug": slug, "mcp_integration_id": "bench", "workspace_id": f"w-{writer % workspaces}",
                })
                counts[writer] += 1

        threads = [threading.Thread(target=create, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.append({"workspaces": workspaces, "created_per_second": sum(counts) / seconds})
        stop_all()


def table_sizes(database, tables, count):
    """What each of `count` servers takes in tables of PostgreSQL, with their indexes."""
    database.run("VACUUM")
    size = lambda table: int(database.rows(f"SELECT pg_total_relation_size('{table}')")[0][0])
    return [{"table": table, "bytes_each": size(table) / count} for table in tables]


def rows(results, servers):
    installed = Installation("postgres")
    installed.seed(servers)
    results["rows"] = table_sizes(installed.database, ("server", "registration", "oauth_client", "change"), servers)
    stop_all()


def soak(results, servers, minutes, say):
    """Mixed load for a long time: gateways, lists, new and deleted servers, a change of the organisation's layer every three minutes."""
    found = results["soak"] = []
    installed = Installation("sqlite")
    installed.seed(servers)
    sandbox = start_sandbox()
    serving = installed.serve()
    call = lambda *request: api(serving.port, installed.admin, *request)
    call("POST", "/v1/mcp-integrations", {
        "name": "Churn", "slug": "churn", "url": sandbox.mcp_url, "auth_type": "oauth_auto", "transport": "http",
    })
    began, number = time.perf_counter(), 0
    sampled = saved = -60
    while (now := time.perf_counter() - began) < minutes * 60:
        number += 1
        if now - sampled >= 60:
            sampled = now
            found.append({"minute": round(now / 60), "rounds": number, "memory_bytes": serving.memory()})
            say(f"soak: {found[-1]}")
        if now - saved >= 180:
            saved = now
            call("PUT", "/v1/organisation/configuration?canary_percent=0&max_failures=none",
                 {"configurations": {"headers": {"X-Round": str(number)}}})
        server = {"name": "Churn", "slug": f"churn-{number}", "mcp_integration_id": "churn", "workspace_id": "acme"}
        call("POST", "/v1/mcp-servers", server)
        for _, path in LISTS:
            call("GET", path)
        for _ in range(20):
            api(serving.port, installed.gateway, "GET", f"/v1/gateway/servers/acme/bench-{number * 7919 % (servers - 1) + 1}")
            number += 1
        call("DELETE", f"/v1/mcp-servers/{server['slug']}?workspace_id=acme")
        time.sleep(0.1)
    stop_all()


def measure(results, quick, say):
    say("scale: rollouts")
    rollouts(results, (1_000, 10_000) if quick else (1_000, 10_000, 100_000))
    say("scale: lists")
    lists(results, (1_000, 10_000) if quick else (1_000, 100_000))
    say("scale: writers")
    writers(results, 3 if quick else 10)
    say("scale: registrations")
    registrations(results, 500 if quick else 3_000)
    say("scale: rows")
    rows(results, 1_000 if quick else 100_000)


def report(results, table, names):
    """The tables, and the figures of the last line."""
    milliseconds = lambda one, what: f"{one[what]['p50_ms']:.1f} · {one[what]['p99_ms']:.0f} · {one[what]['max_ms']:.0f}"
    mebibytes = lambda number: f"{number / 1024 / 1024:.0f} MiB"
    out = ["### A change of the organisation's layer\n", table(
        ["servers", "answered", "all servers reached", "another writer: p50 · p99 · worst ms", "a gateway: p50 · p99 · worst ms", "memory at rest", "most memory"],
        [[f"{names[one['side']]}, {one['servers']:,}", f"{one['answered_ms']:.0f} ms", f"{one['took_s']:.1f} s", milliseconds(one, "writer"),
          milliseconds(one, "reader"), mebibytes(one["memory_rest_bytes"]), mebibytes(one["memory_most_bytes"])] for one in results["rollouts"]])]
    sizes = sorted({one["servers"] for one in results["lists"]})
    rows, growth = [], []
    for kind in ("sqlite", "postgres"):
        for name, _ in LISTS:
            took = [next(one["p50_ms"] for one in results["lists"] if (one["side"], one["list"], one["servers"]) == (kind, name, size)) for size in sizes]
            growth.append(took[-1] / took[0])
            rows.append([f"{names[kind]}: {name}", *(f"{one:.1f} ms" for one in took), f"{growth[-1]:.2f}"])
    out += ["### One page of a list\n", table(["list", *(f"{size:,} servers" for size in sizes), "growth"], rows)]
    out += ["### Registrations beside the bare ORM\n", table(
        ["", "per s", "processor each", "bare ORM per s", "÷ bare ORM", "servers created per s"],
        [[f"{names[one['side']]}, {one['workers']} worker{'s' if one['workers'] > 1 else ''}", f"{one['per_second']:.0f}",
          f"{one['processor_ms_each']:.1f} ms", f"{one['bare_orm_per_second']:.0f}", f"{one['per_second'] / one['bare_orm_per_second']:.2f}",
          f"{one['created_per_second']:.0f}"] for one in results["registrations_beside_orm"]])]
    out += ["### Four writers on PostgreSQL\n", table(["workspaces", "servers created per s"],
        [[one["workspaces"], f"{one['created_per_second']:.0f}"] for one in results["writers"]])]
    if "rows" in results:
        out += ["### A server in PostgreSQL, with indexes\n", table(["table", "bytes"],
            [[one["table"], f"{one['bytes_each']:,.0f}"] for one in results["rows"] + results["history_rows"]])]
    ten = max((one["writer"]["max_ms"] for one in results["rollouts"] if one["servers"] == 10_000), default=0)
    floor = min(one["per_second"] / one["bare_orm_per_second"] for one in results["registrations_beside_orm"])
    return "\n".join(out), f"rollout_10k_write_block_ms={ten:.0f} registrations_vs_floor={floor:.2f} list_growth={max(growth):.2f}"
