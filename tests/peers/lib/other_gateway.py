"""Runs a gateway of others, from an environment of its own (`tests/.venv-NAME`), until standard input ends."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# A first start makes the database.
START_TIMEOUT = 180


def python_of(name):
    """The Python of `tests/.venv-NAME`, or that of the variable MCP_REGISTRY_TEST_NAME."""
    named = os.environ.get(f"MCP_REGISTRY_TEST_{name.upper()}")
    return named or str(Path(__file__).parents[2] / f".venv-{name}" / "bin" / "python")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings(more):
    """The environment of the program: nothing of this one's but where programs are, no telemetry, no look-ups outside."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "NO_PROXY": "*", **more}


def run(command, environment, probe, told):
    """Starts it, says `ready` when `probe` answers 200, and ends it when standard input ends."""
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w+") as log:
        # ContextForge has locks in the folder for temporary files: two of them would wait for each other.
        environment = {**environment, "HOME": folder, "TMPDIR": folder}
        child = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_TIMEOUT
            while not answers(probe):
                if child.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    sys.exit(f"{command[0]} did not start: {log.read()[-4000:]}")
                time.sleep(0.2)
            print("ready " + json.dumps(told), flush=True)
            sys.stdin.read()
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
            if os.environ.get("MCP_REGISTRY_TEST_KEEP_LOGS"):
                log.seek(0)
                sys.stderr.write(log.read())


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
