"""Checks what a build of the container image would only show late: the compose file, the Dockerfile, the lockfiles."""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def compose():
    """The compose file is complete in itself, and publishes nothing but the API."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = document["services"]
    for name, service in services.items():
        if "image" not in service and "build" not in service:
            yield f"docker-compose.yml: {name} has neither image nor build"
        for other, wanted in service.get("depends_on", {}).items():
            if other not in services:
                yield f"docker-compose.yml: {name} depends on {other}, which does not exist"
            elif wanted["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                yield f"docker-compose.yml: {name} waits for the health of {other}, which has no healthcheck"
        for key in service.get("environment", {}):
            if re.search(r"PASSWORD$|SECRET|SEALING", key) and not re.match(r"\$\{", str(service["environment"][key])):
                yield f"docker-compose.yml: {name} carries the value of {key}"
    for volume in {mount.split(":")[0] for service in services.values() for mount in service.get("volumes", [])}:
        if not volume.startswith((".", "/")) and volume not in document.get("volumes", {}):
            yield f"docker-compose.yml: the volume {volume} is not declared"
    declared = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    for name in sorted(used ^ declared):
        yield f"{name} is not in both docker-compose.yml and deploy/env.example"


def dockerfile():
    """Each stage that is copied from exists, each path copied exists, and the last stage is not root."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    stages, user = set(), None
    for line in (line.strip() for line in lines):
        if match := re.match(r"FROM \S+(?: AS (\S+))?$", line):
            stages.add(match[1])
            user = None
        elif line.startswith("FROM "):
            yield f"Dockerfile: cannot read {line!r}"
        elif line.startswith("USER "):
            user = line.split()[1]
        elif match := re.match(r"COPY (?:--from=(\S+) )?(?:--\S+ )*(.+)", line):
            if match[1] and match[1] not in stages:
                yield f"Dockerfile: there is no stage {match[1]}"
            if not match[1]:
                for path in match[2].split()[:-1]:
                    if not (ROOT / path).exists():
                        yield f"Dockerfile: {path} does not exist"
    if user in (None, "root", "0"):
        yield "Dockerfile: the last stage runs as root"


def rust_version():
    """One Rust version everywhere."""
    channel = re.search(r'channel = "(\d+\.\d+)', (ROOT / "rust-toolchain.toml").read_text())[1]
    for file, pattern in (("Cargo.toml", r'rust-version = "([\d.]+)"'), ("Dockerfile", r"FROM rust:(\d+\.\d+)")):
        found = re.search(pattern, (ROOT / file).read_text())[1]
        if found != channel:
            yield f"{file}: Rust {found}, but rust-toolchain.toml has {channel}"


def npm_lockfile():
    """Lockfiles name no download address: whoever builds chooses the registry."""
    for file in [ROOT / "tests" / "package-lock.json", ROOT / "static" / "package-lock.json"]:
        if file.exists() and '"resolved"' in file.read_text():
            yield f"{file.relative_to(ROOT)}: has download addresses; make it with npm install --omit-lockfile-registry-resolved"


def main():
    """Prints what is wrong; exits 1 if anything is."""
    found = [line for check in (compose, dockerfile, rust_version, npm_lockfile) for line in check()]
    print("\n".join(found) if found else "Dockerfile, compose file and lockfiles hold together.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
