"""Measures the gateway's door beside a bare server and ContextForge. `benches/run` starts this; docs/benchmarks.md explains."""

import asyncio
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import scale
from programs import (
    Installation, api, start_bare, start_contextforge, start_sandbox, stop_all, wait,
)
from report import report

QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 9
SECONDS = 1 if QUICK else 2
CONNECTIONS = (1, 16, 64, 256)
SIZES = (1_000, 10_000, 100_000)
PREFIX = "/v1/gateway/servers/"


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def load(port, key, requests, connections, known=None, seconds=SECONDS):
    """What wrk says of `requests` (lines "METHOD PATH [BODY]") after `seconds`."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        file.write("\n".join(requests) + "\n")
        file.flush()
        environment = {**os.environ, "WRK_KEY": key, "WRK_REQUESTS": file.name}
        if known:
            environment["WRK_KNOWN"] = known
        # One thread: with as many as processors, what is measured at the top is which of the two is out of turn.
        ended = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", "benches/load.lua",
             f"http://127.0.0.1:{port}"],
            env=environment, check=True, capture_output=True, text=True,
        )
    found = json.loads(ended.stdout.strip().splitlines()[-1])
    found["per_second"] = found["requests"] / found["seconds"]
    return found


def gets(names):
    return [f"GET {PREFIX}{name}" for name in names]


def all_documents(port, key):
    """Every document by name, as a gateway that begins fetches them."""
    documents, since = {}, 0
    while True:
        page = api(port, key, "GET", f"/v1/gateway/servers?page_size=500&since={since}")
        for document in page["data"]:
            name = f"{document['workspace']}/{document['server']}"
            documents[name] = json.dumps(document, separators=(",", ":"))
        since = page["revision"]
        if not page["has_more"]:
            return documents


def warm(port, key, names):
    """Every one of these documents once, so that it is in memory and its first reading on record."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for name in names:
        for _ in range(2):
            connection.request("GET", PREFIX + name, headers={"authorization": f"Bearer {key}"})
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (name, response.status, body)
    connection.close()
    return response.headers["etag"]


def hot(results):
    """Documents in memory: ours on both databases beside the bare server, in turn, round by round."""
    say("hot readings: seeding")
    sides = {}
    installations = {kind: Installation(kind) for kind in ("sqlite", "postgres")}
    for kind, installed in installations.items():
        installed.seed(1_000)
        serving = installed.serve("--no-worker")
        documents = all_documents(serving.port, installed.gateway)
        names = [name for name in documents if name.startswith("acme/bench")]
        assert len(names) == 1_000, len(names)
        etag = warm(serving.port, installed.gateway, names)
        sides[kind] = (serving.port, installed.gateway, names, etag)
    key = installations["sqlite"].gateway
    bare = start_bare(documents, key)
    sides["bare"] = (bare.port, key, names, warm(bare.port, key, names[-1:]))
    contextforge = start_contextforge()
    results["document_bytes"] = round(statistics.mean(len(body) for body in documents.values()))
    rounds = results["hot"] = []
    for number in range(ROUNDS):
        say(f"hot readings: round {number + 1} of {ROUNDS}")
        order = list(sides)
        order = order[number % len(order):] + order[:number % len(order)]
        for connections in CONNECTIONS:
            for keys in (1, 1_000):
                # With one connection the tail is the machine's own: it takes more to see through it.
                for side in order * (3 if connections == 1 else 1):
                    port, key, names, _ = sides[side]
                    found = load(port, key, gets(names[:keys]), connections)
                    rounds.append({"side": side, "work": "get", "keys": keys, "connections": connections, **found})
        for side in order:
            port, key, names, etag = sides[side]
            found = load(port, key, gets(names[-1:]), 64, known=etag)
            rounds.append({"side": side, "work": "304", "keys": 1, "connections": 64, **found})
        if contextforge:
            found = load(contextforge.port, contextforge.token, [f"GET {contextforge.path}"], 16, seconds=SECONDS + 1)
            rounds.append({"side": "contextforge", "work": "get", "keys": 1, "connections": 16, **found})
    if contextforge:
        results["contextforge"] = {"start_s": contextforge.started, "memory_bytes": contextforge.memory()}
    failed = [one for one in rounds if one["refused"] and one["work"] == "get" or one["broken"]]
    assert not failed, failed
    stop_all()
    return installations


def misses(results, installations):
    """Documents that are not in memory: a process that has just started, each asked for once."""
    rounds = results["misses"] = []
    names = [f"acme/bench-{number}" for number in range(1, 1_000)]
    for number in range(ROUNDS):
        for kind, installed in installations.items():
            serving = installed.serve("--no-worker")
            times = []
            connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=60)
            for name in names[number * 100:number * 100 + 100]:
                began = time.perf_counter()
                connection.request("GET", PREFIX + name, headers={"authorization": f"Bearer {installed.gateway}"})
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                times.append((time.perf_counter() - began) * 1e3)
            rounds.append({"side": kind, "p50_ms": statistics.median(times), "p99_ms": sorted(times)[98]})
            serving.stop()


def sizes(results):
    """Start, memory and speed with ever more servers; and what a process takes that holds nothing."""
    found = results["sizes"] = []
    empty = results["empty"] = []
    for _ in range(ROUNDS):
        installed = Installation("sqlite")
        serving = installed.serve("--no-worker")
        api(serving.port, installed.admin, "GET", "/v1/workspaces")
        empty.append({"start_s": time.perf_counter() - serving.began, "memory_bytes": serving.memory()})
        serving.stop()
    for servers in SIZES:
        say(f"sizes: {servers} servers")
        installed = Installation("sqlite")
        installed.seed(servers)
        starts = []
        for _ in range(3):
            serving = installed.serve("--no-worker")
            api(serving.port, installed.gateway, "GET", f"{PREFIX}acme/bench-{servers // 2}")
            starts.append(time.perf_counter() - serving.began)
            serving.stop()
        serving = installed.serve("--no-worker")
        api(serving.port, installed.gateway, "GET", f"{PREFIX}acme/bench")
        before = serving.memory()
        began = time.perf_counter()
        documents = all_documents(serving.port, installed.gateway)
        fetched = time.perf_counter() - began
        names = [name for name in documents if name.startswith("acme/bench")][:1_000]
        warm(serving.port, installed.gateway, names)
        held = int(next(
            line.split()[1] for line in text(serving.port, "/metrics").splitlines()
            if line.startswith("mcp_registry_gateway_held_documents ")
        ))
        assert held == len(documents), (held, len(documents))
        body = sum(map(len, documents.values()))
        speeds = [load(serving.port, installed.gateway, gets(names), 64)["per_second"] for _ in range(ROUNDS)]
        found.append({
            "servers": servers, "start_s": statistics.median(starts), "fetch_all_s": fetched,
            "beyond_bytes_each": (serving.memory() - before - body) / len(documents), "document_bytes": body / len(documents),
            "memory_bytes": serving.memory(), "per_second_1000_keys": speeds,
        })
        serving.stop()


def text(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


class Follower(asyncio.Protocol):
    """Server-sent events over a raw connection: when each `changed` arrived."""

    def __init__(self, key):
        self.key, self.arrived, self.started = key, [], False

    def connection_made(self, transport):
        transport.write(
            f"GET /v1/gateway/changes HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n"
            f"authorization: Bearer {self.key}\r\n\r\n".encode()
        )

    def data_received(self, data):
        if b"event: changed" in data:
            self.arrived.append(time.perf_counter())
        elif b"event: start" in data:
            self.started = True


async def fan_out(results, kind, followers=1_000):
    """From the moment a change is sent to the registry until each of the followers, spread over the replicas, has it."""
    installed = Installation(kind)
    installed.seed(1)
    replicas = [installed.serve("--no-worker") for _ in range(2)]
    loop = asyncio.get_running_loop()
    following = []
    for number in range(followers):
        _, follower = await loop.create_connection(
            lambda: Follower(installed.gateway), "127.0.0.1", replicas[number % 2].port
        )
        following.append(follower)
    while not all(one.started for one in following):
        await asyncio.sleep(0.02)
    each, last, answered = [], [], []
    for change in range(10 if QUICK else 50):
        body = {"configurations": {"headers": {"X-Round": str(change)}}}
        began = time.perf_counter()
        await loop.run_in_executor(None, api, replicas[0].port, installed.admin, "PUT", "/v1/mcp-integrations/beside", body)
        answered.append((time.perf_counter() - began) * 1e3)
        while not all(len(one.arrived) == change + 1 for one in following):
            assert time.perf_counter() - began < 20, "a follower misses a change"
            await asyncio.sleep(0.005)
        times = [(one.arrived[change] - began) * 1e3 for one in following]
        each += times
        last.append(max(times))
    each.sort()
    results.setdefault("fan_out", []).append({
        "side": kind, "followers": followers, "replicas": 2, "changes": len(last), "answered_p50_ms": statistics.median(answered),
        "p50_ms": statistics.median(each), "p99_ms": each[int(len(each) * 0.99)], "last_p50_ms": statistics.median(last),
        "last_max_ms": max(last),
    })
    stop_all()


def crud(results):
    """Workspaces made, read, changed and deleted over REST, 16 at a time."""
    rounds = results["crud"] = []
    for number in range(max(3, ROUNDS // 3)):
        for kind in ("sqlite", "postgres"):
            installed = Installation(kind)
            serving = installed.serve("--no-worker")
            first = [f"w-{one}" for one in range(1, 501)]
            for work, lines, seconds in (
                # Twice as many as can be deleted in one round.
                ("create", ['POST /v1/workspaces {"name":"W%d","slug":"w-%d"}'], 2 * SECONDS),
                ("read", [f"GET /v1/workspaces/{slug}" for slug in first], SECONDS),
                ("update", [f'PUT /v1/workspaces/{slug} {{"description":"{number}"}}' for slug in first], SECONDS),
                ("delete", ["DELETE /v1/workspaces/w-%d"], SECONDS),
            ):
                found = load(serving.port, installed.admin, lines, 16, seconds=seconds)
                assert not found["broken"] and found["refused"] <= found["requests"] / 100, (work, found)
                rounds.append({"side": kind, "work": work, **found})
            serving.stop()


def registrations(results, count=500):
    """From the start of the workers until every server has its client at the sandbox."""
    found = results["registrations"] = []
    for _ in range(1 if QUICK else 3):
        for kind, workers in (("sqlite", 1), ("postgres", 1), ("postgres", 4)):
            installed = Installation(kind)
            sandbox = start_sandbox()
            serving = installed.serve("--no-worker")
            api(serving.port, installed.admin, "POST", "/v1/workspaces", {"name": "Acme", "slug": "acme"})
            api(serving.port, installed.admin, "POST", "/v1/mcp-integrations", {
                "name": "Bench", "slug": "bench", "url": sandbox.mcp_url, "auth_type": "oauth_auto", "transport": "http",
            })
            for number in range(count):
                api(serving.port, installed.admin, "POST", "/v1/mcp-servers", {
                    "name": f"S{number}", "slug": f"s-{number}", "mcp_integration_id": "bench", "workspace_id": "acme",
                })
            began = time.perf_counter()
            for _ in range(workers):
                installed.work()
            done = "SELECT COUNT(*) FROM registration WHERE state = 'registered'"
            wait(lambda: installed.database.rows(done)[0][0] == str(count), "the registrations")
            found.append({"side": kind, "workers": workers, "per_second": count / (time.perf_counter() - began)})
            stop_all()


def machine():
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as info:
        memory = int(info.readline().split()[1]) // 1024 // 1024
    return {"processor": model, "processors": os.cpu_count(), "memory_gib": memory, "system": platform.platform(),
            "date": time.strftime("%Y-%m-%d"), "rounds": ROUNDS, "seconds_each": SECONDS}


def write(results):
    os.makedirs("benches/results", exist_ok=True)
    with open("benches/results/raw.json", "w") as file:
        json.dump(results, file, indent=1)


def main():
    results = {"machine": machine()}
    if "--soak" in sys.argv:
        minutes = int(sys.argv[sys.argv.index("--soak") + 1])
        try:
            scale.soak(results, 2_000, minutes, say)
        finally:
            stop_all()
            write(results)
        return
    try:
        if "--scale" not in sys.argv:
            installations = hot(results)
            say("misses")
            misses(results, installations)
            sizes(results)
            for kind in ("sqlite", "postgres"):
                say(f"followers: {kind}")
                asyncio.run(fan_out(results, kind))
            say("writing")
            crud(results)
            say("registrations")
            registrations(results)
        scale.measure(results, QUICK, say)
    finally:
        stop_all()
        write(results)
    report(results)


main()
