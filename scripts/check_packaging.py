"""Checks what other programs would only show late: the compose file, the Dockerfiles, the lockfiles, the files of the workflow."""

import json
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


def dockerfile(name="Dockerfile"):
    """Each stage that is copied from exists, each path copied exists, and the last stage is not root."""
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    stages, user = set(), None
    for line in (line.strip() for line in lines):
        if match := re.match(r"FROM \S+(?: AS (\S+))?$", line):
            stages.add(match[1])
            user = None
        elif line.startswith("FROM "):
            yield f"{name}: cannot read {line!r}"
        elif line.startswith("USER "):
            user = line.split()[1]
        elif match := re.match(r"COPY (?:--from=(\S+) )?(?:--\S+ )*(.+)", line):
            if match[1] and match[1] not in stages:
                yield f"{name}: there is no stage {match[1]}"
            if not match[1]:
                for path in match[2].split()[:-1]:
                    if not (ROOT / path).exists():
                        yield f"{name}: {path} does not exist"
    if user in (None, "root", "0"):
        yield f"{name}: the last stage runs as root"


def devcontainer():
    """Its Dockerfile is sound, and devcontainer.json names it."""
    document = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    name = f".devcontainer/{document['build']['dockerfile']}"
    if (ROOT / name).exists():
        yield from dockerfile(name)
    else:
        yield f".devcontainer/devcontainer.json: {name} does not exist"
    command = document["postCreateCommand"]
    if not (ROOT / command.split()[0]).exists():
        yield f".devcontainer/devcontainer.json: {command} does not exist"


def workflow():
    """The YAML files of .github parse; forms have a name and a body; the CI calls .ci/run in a limited time."""
    for path in sorted((ROOT / ".github").rglob("*.yml")):
        document = yaml.safe_load(path.read_text())
        name = path.relative_to(ROOT)
        if path.parent.name == "ISSUE_TEMPLATE" and path.name != "config.yml":
            ids = [field["id"] for field in document["body"] if field["type"] != "markdown"]
            if not document.get("name") or not document.get("description") or len(ids) != len(set(ids)):
                yield f"{name}: needs a name, a description, and fields with different ids"
        for job in document.get("jobs", {}).values():
            if "timeout-minutes" not in job:
                yield f"{name}: a job has no timeout"
            if not any(".ci/run" in step.get("run", "") for step in job["steps"]):
                yield f"{name}: a job does not call .ci/run"


def sample():
    """Each variable of .env.sample is a setting of docs/configuration.md."""
    settings = set(re.findall(r"^\| `([a-z_.]+)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
    for variable in re.findall(r"^([A-Z_]+)=", (ROOT / ".env.sample").read_text(), re.MULTILINE):
        setting = variable.removeprefix("MCP_REGISTRY__").lower().replace("__", ".")
        if setting not in settings:
            yield f".env.sample: {variable} is no setting of docs/configuration.md"


def rust_version():
    """One Rust version everywhere."""
    channel = re.search(r'channel = "(\d+\.\d+)', (ROOT / "rust-toolchain.toml").read_text())[1]
    image = r"(?:FROM |container: )rust:(\d+\.\d+)"
    for file, pattern in (
        ("Cargo.toml", r'rust-version = "([\d.]+)"'),
        ("Dockerfile", image),
        (".devcontainer/Dockerfile", image),
        (".github/workflows/ci.yml", image),
    ):
        found = re.search(pattern, (ROOT / file).read_text())[1]
        if found != channel:
            yield f"{file}: Rust {found}, but rust-toolchain.toml has {channel}"


def npm_lockfile():
    """Lockfiles name no download address: the builder's configuration chooses the registry."""
    for file in [ROOT / "tests" / "package-lock.json", ROOT / "static" / "package-lock.json"]:
        if file.exists() and '"resolved"' in file.read_text():
            yield f"{file.relative_to(ROOT)}: has download addresses; make it with npm install --omit-lockfile-registry-resolved"


def main():
    """Prints what is wrong; exits 1 if anything is."""
    found = [line for check in (compose, dockerfile, devcontainer, workflow, sample, rust_version, npm_lockfile) for line in check()]
    print("\n".join(found) if found else "The packaging files are valid and agree with each other.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
