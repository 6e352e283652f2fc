"""The real binary on a SQLite database, which can be put back to a kept copy; and an upstream on loopback."""

import json
import os
import random
import shutil
import socket
import subprocess
import threading
from pathlib import Path

BINARY = os.environ.get("MCP_REGISTRY_TEST_BINARY", "")

SETTINGS = {
    "DATABASE__URL": "sqlite://registry.sqlite?mode=rwc",
    "SEALING__KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "EGRESS__ALLOW_HTTP_LOOPBACK": "true",
    # Each request says that it came from another address, so that the limit of failed authentication applies to none.
    "SERVER__TRUSTED_PROXIES": "127.0.0.1",
    "SERVER__WORKERS": "1",
    "LIMITS__BURST": "1000000",
    "LIMITS__PER_SECOND": "1000000",
    "WORKER__REQUEST_TIMEOUT": "2",
    "WORKER__POLL_MS": "100",
    "WORKER__UNCONFIRMED_PAUSE": "0",
    "WORKER__ISSUER_RATE__BURST": "60000",
    "WORKER__ISSUER_RATE__PER_MINUTE": "60000",
    "GATEWAY__PORTKEY__ENABLED": "true",
    "LOG__LEVEL": "warn",
}


def lasting_port():
    """A free port that stays free during a restart: the system gives ports from 32768 on to connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)):
                return port


class Deployment:
    """`mcp-registry serve` in its own folder. Its address stays the same after a restart."""

    def __init__(self, folder, secrets):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        port = lasting_port()
        self.url = f"http://127.0.0.1:{port}"
        (self.folder / "registry.toml").write_text(secrets.declared)
        settings = SETTINGS | {"SERVER__LISTEN": f"127.0.0.1:{port}"}
        self.environment = os.environ | {f"MCP_REGISTRY__{name}": value for name, value in settings.items()} | secrets.values
        self.process = None

    def run(self, *arguments):
        """Runs the binary to its end; what it printed."""
        done = subprocess.run(
            [BINARY, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"mcp-registry {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def start(self):
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [BINARY, "serve"], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        for line in self.process.stdout:
            if "listening on" in line:
                # What it still prints must not fill the pipe.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise SystemExit(f"serve ended before it listened:\n{self.log()}")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def keep(self, copy):
        """Copies the database while no process serves."""
        self.run("backup", str(copy))

    def put_back(self, copy):
        """Starts again from the stored state."""
        self.stop()
        for file in self.folder.glob("registry.sqlite*"):
            file.unlink()
        shutil.copy(copy, self.folder / "registry.sqlite")
        self.start()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")


class Sandbox:
    """`mcp-registry sandbox`: an upstream with its authorization server, with these quirks."""

    def __init__(self, quirks):
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--quirks", json.dumps(quirks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.mcp_url = json.loads(self.process.stdout.readline().removeprefix("ready "))["mcp_url"]

    def stop(self):
        # It ends with its standard input.
        self.process.communicate(timeout=10)
