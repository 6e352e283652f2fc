"""Asks the real binary everything that its OpenAPI document offers, and judges each answer.

    tests/contract/run                               as one identity of each kind, within ./test
    tests/contract/run --all --examples 20           as every identity, within ./test --long
    tests/contract/run --identity viewer --operation read_server
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from campaign import IDENTITIES, Campaign
from deployment import Deployment, Sandbox
from seed import Secrets, seed

ROOT = Path(__file__).resolve().parents[2]
# Each gives a kind of registration: with a secret, of unknown outcome, that only a new one can take the place of, refused.
QUIRKS = {
    "good": {"unasked_secret": True},
    "lossy": {"lost_answers": 1_000_000},
    "unmanaged": {"no_management": True},
    "refusing": {"registration_refusal": {"status": 403, "error": "access_denied"}},
}

# Its documents need a public address with TLS; `tests/it/peers/documents.rs` has one. Only a rollout of more than 100 servers
# can be paused; `tests/it/api/rollouts.rs` has one.
UNANSWERED = {
    "GET /oauth/clients/{document}.json", "GET /v1/rollouts/{rollout}/events", "POST /v1/rollouts/{rollout}/pause", "POST /v1/rollouts/{rollout}/resume",
}


def main():
    asked = arguments()
    began = time.monotonic()
    document = json.loads((ROOT / "openapi" / "registry.json").read_text())
    sandboxes = {name: Sandbox(quirks) for name, quirks in QUIRKS.items()}
    try:
        with tempfile.TemporaryDirectory(prefix="mcp-registry-contract-") as folder:
            campaigns = run(asked, document, sandboxes, Path(folder))
    finally:
        for sandbox in sandboxes.values():
            sandbox.stop()
    return report(campaigns, document, time.monotonic() - began, bool(asked.operation or asked.identity))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2, help="random cases for each operation and identity, beside the systematic ones")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="identities at a time; each waits half of its time")
    parser.add_argument("--all", action="store_true", help="every identity, not one of each kind")
    parser.add_argument("--identity", action="append", choices=[one.name for one in IDENTITIES], help="only this one; may be repeated")
    parser.add_argument("--operation", action="append", help="only this operationId; may be repeated")
    return parser.parse_args()


def run(asked, document, sandboxes, folder):
    """Fills a deployment once, then runs each identity against its own copy."""
    secrets = Secrets()
    deployment = Deployment(folder / "seeded", secrets)
    deployment.run("migrate")
    deployment.start()
    try:
        scenario = seed(deployment, secrets, sandboxes)
    finally:
        deployment.stop()
    copy = folder / "copy.sqlite"
    deployment.keep(copy)
    wanted = [one for one in IDENTITIES if (one.name in asked.identity if asked.identity else asked.all or one.short)]
    # Those that change things take longest.
    wanted.sort(key=lambda one: one.silent)
    # A process for each: schemathesis keeps checks and hooks for all there is. What it imports is imported once.
    context = get_context("forkserver")
    context.set_forkserver_preload(["campaign"])
    with ProcessPoolExecutor(asked.jobs, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = [
            pool.submit(campaign, one, scenario, folder / f"deployment-{number}", secrets, copy, asked.examples, document, asked.operation)
            for number, one in enumerate(wanted)
        ]
        return [job.result() for job in jobs]


def campaign(identity, scenario, folder, secrets, copy, examples, document, only):
    deployment = Deployment(folder, secrets)
    one = Campaign(identity, scenario, deployment, copy, examples)
    try:
        one.run(document, only)
    finally:
        deployment.stop()
    return identity, one.requests, one.answers, one.failures, one.seconds


def never_works(document):
    """Operations that answer 501, and those that the document gives no answer of success."""
    return {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "501" in operation["responses"] or not any(status.startswith("2") for status in operation["responses"])
    }


def report(campaigns, document, seconds, partly):
    operations = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item if method != "parameters"}
    answered, failed = Counter(), 0
    print(f"{'identity':28} operations  requests   2xx   4xx   5xx  seconds  failures")
    for identity, requests, answers, failures, took in campaigns:
        by = Counter()
        for (label, status), count in answers.items():
            by[status // 100] += count
            if status < 300:
                answered[label] += count
        print(
            f"{identity.name:28} {len(requests):10}  {sum(requests.values()):8} {by[2]:5} {by[4]:5} {by[5]:5} {took:8.0f} {len(failures):9}"
        )
        failed += len(failures)
    silent = sorted(operations - answered.keys() - UNANSWERED - never_works(document))
    if silent and not partly:
        failed += 1
        print(f"Nobody got these to work, so little was tried of them: {', '.join(silent)}")
    total = sum(sum(requests.values()) for _, requests, _, _, _ in campaigns)
    print(f"{len(operations)} operations × {len(campaigns)} identities, {total} requests, {seconds:.0f} s")
    shown = {}
    for identity, _, _, failures, _ in campaigns:
        for (label, check, title), (count, message, curl) in failures.items():
            shown.setdefault((label, check, title), (message, curl, []))[2].append(f"{identity.name} ({count})")
    for (label, check, _), (message, curl, who) in sorted(shown.items()):
        print(f"\n{label}: {check}, as {', '.join(who)}\n  {message}\n  {curl}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
