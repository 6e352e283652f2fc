"""Tables and one picture from raw results. `python3 benches/report.py RAW.json` makes them again."""

import json
import os
import statistics
import sys

import scale

CONNECTIONS = (1, 16, 64, 256)
NAMES = {"bare": "bare actix-web", "sqlite": "registry, SQLite", "postgres": "registry, PostgreSQL"}
COLOURS = {"bare": "#9aa0a6", "sqlite": "#2f6f4f", "postgres": "#315f9f"}


def median(rounds, member, **which):
    found = [one[member] for one in rounds if all(one.get(name) == value for name, value in which.items())]
    return statistics.median(found) if found else None


def ratio(rounds, member, side, **which):
    """The median of the ratios to the bare server, round by round: what a noisy machine leaves alone."""
    pick = lambda of: [one[member] for one in rounds if one["side"] == of and all(one[n] == v for n, v in which.items())]
    return statistics.median(ours / bare for ours, bare in zip(pick(side), pick("bare")))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def thousands(number):
    return f"{number:,.0f}"


def mebibytes(number):
    return f"{number / 1024 / 1024:.1f} MiB"


def hot_tables(hot):
    rows, ratios, tails = [], [], []
    for keys in (1, 1_000):
        for connections in CONNECTIONS:
            which = {"work": "get", "keys": keys, "connections": connections}
            row = [f"{keys:,} × {connections}"]
            for side in NAMES:
                row.append(f"{thousands(median(hot, 'per_second', side=side, **which))} · {median(hot, 'p99_ms', side=side, **which):.2f}")
            for side in ("sqlite", "postgres"):
                speed, tail = ratio(hot, "per_second", side, **which), ratio(hot, "p99_ms", side, **which)
                row.append(f"{speed:.2f} · {tail:.2f}")
                ratios.append(speed)
                tails.append(tail)
            rows.append(row)
    which = {"work": "304", "connections": 64}
    row = ["304, 1 × 64"] + [
        f"{thousands(median(hot, 'per_second', side=side, **which))} · {median(hot, 'p99_ms', side=side, **which):.2f}" for side in NAMES
    ] + [f"{ratio(hot, 'per_second', s, **which):.2f} · {ratio(hot, 'p99_ms', s, **which):.2f}" for s in ("sqlite", "postgres")]
    rows.append(row)
    head = ["documents × connections", *(f"{name}: per s · p99 ms" for name in NAMES.values()), "SQLite ÷ bare: speed · p99", "PostgreSQL ÷ bare: speed · p99"]
    return table(head, rows), min(ratios), max(tails)


def picture(hot):
    """Bars: readings per second at each number of connections, beside the bare server."""
    groups = [(keys, connections) for keys in (1, 1_000) for connections in CONNECTIONS]
    value = lambda side, group: median(hot, "per_second", side=side, work="get", keys=group[0], connections=group[1])
    most = max(value(side, group) for side in NAMES for group in groups)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 360" font-family="sans-serif" font-size="12">',
             '<title>Readings per second of a document in memory, beside a bare server</title>', '<rect width="880" height="360" fill="#fff"/>']
    for index, group in enumerate(groups):
        left = 40 + index * 104
        for place, side in enumerate(NAMES):
            height = 250 * value(side, group) / most
            parts.append(f'<rect x="{left + place * 28}" y="{290 - height:.0f}" width="25" height="{height:.0f}" fill="{COLOURS[side]}"/>')
            parts.append(f'<text x="{left + place * 28 + 12}" y="{284 - height:.0f}" text-anchor="middle" font-size="10">{value(side, group) / 1000:.0f}k</text>')
        parts.append(f'<text x="{left + 42}" y="308" text-anchor="middle">{group[1]}</text>')
    for index, words in enumerate(("one document", "1,000 documents")):
        parts.append(f'<text x="{40 + 208 - 20 + index * 416}" y="328" text-anchor="middle">connections, {words}</text>')
    for place, (side, name) in enumerate(NAMES.items()):
        parts.append(f'<rect x="{40 + place * 200}" y="340" width="12" height="12" fill="{COLOURS[side]}"/><text x="{58 + place * 200}" y="350">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def report(results):
    text, figures = gateway_report(results) if "hot" in results else ("", "")
    scale_text, scale_figures = scale.report(results, table, NAMES)
    text = f"{text}\n{scale_text}"
    os.makedirs("benches/results", exist_ok=True)
    with open("benches/results/report.md", "w") as file:
        file.write(text)
    print(text)
    print(f"{figures} {scale_figures}".strip())


def gateway_report(results):
    machine, hot = results["machine"], results["hot"]
    hot_table, worst_speed, worst_tail = hot_tables(hot)
    out = [
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{machine['date']}; {machine['rounds']} rounds of {machine['seconds_each']} s each, in turn; client and server on the same "
        f"machine; documents of {results['document_bytes']} bytes on average.\n",
        "### Documents in memory\n", hot_table,
    ]
    peer = median(hot, "per_second", side="contextforge")
    ours = median(hot, "per_second", side="sqlite", work="get", keys=1, connections=16)
    times = ours / peer if peer else None
    if peer:
        told = results["contextforge"]
        out.append(table(["one record by id, bearer token, 16 connections", "per s", "p99 ms", "start", "memory"], [
            ["registry, SQLite", thousands(ours), f"{median(hot, 'p99_ms', side='sqlite', work='get', keys=1, connections=16):.2f}",
             f"{median(results['empty'], 'start_s'):.3f} s", mebibytes(median(results["empty"], "memory_bytes"))],
            ["IBM ContextForge, SQLite", thousands(peer), f"{median(hot, 'p99_ms', side='contextforge'):.0f}",
             f"{told['start_s']:.1f} s", mebibytes(told["memory_bytes"])],
        ]))
    else:
        out.append("IBM ContextForge could not be installed here and is left out.\n")
    out += ["### Documents not in memory\n", table(["", "p50 ms", "p99 ms"], [
        [NAMES[kind], f"{median(results['misses'], 'p50_ms', side=kind):.1f}", f"{median(results['misses'], 'p99_ms', side=kind):.1f}"]
        for kind in ("sqlite", "postgres")])]
    few = statistics.median(results["sizes"][0]["per_second_1000_keys"])
    out += ["### Size\n", table(
        ["servers", "start to first document", "all documents fetched", "memory, all held", "beyond the documents' bytes, each", "per s over 1,000 of them (64 connections)", "÷ 1,000 servers"],
        [[f"{one['servers']:,}", f"{one['start_s']:.2f} s", f"{one['fetch_all_s']:.1f} s", mebibytes(one["memory_bytes"]),
          f"{thousands(one['beyond_bytes_each'])} bytes", thousands(statistics.median(one["per_second_1000_keys"])),
          f"{statistics.median(one['per_second_1000_keys']) / few:.2f}"] for one in results["sizes"]]),
        f"An empty database: first answer {median(results['empty'], 'start_s') * 1000:.0f} ms after the start, "
        f"{mebibytes(median(results['empty'], 'memory_bytes'))} of memory.\n"]
    out += ["### From a change to its followers\n", table(
        ["1,000 followers on two replicas, ms after the change was sent", "answer to the admin", "p50", "p99", "last of 1,000: p50", "worst"],
        [[NAMES[one["side"]], *(f"{one[member]:.0f}" for member in ("answered_p50_ms", "p50_ms", "p99_ms", "last_p50_ms", "last_max_ms"))]
         for one in results["fan_out"]])]
    out += ["### Writing\n", table(["workspaces over REST, 16 connections, per s", "create", "read", "update", "delete"], [
        [NAMES[kind], *(thousands(median(results["crud"], "per_second", side=kind, work=work)) for work in ("create", "read", "update", "delete"))]
        for kind in ("sqlite", "postgres")]),
        table(["registrations at the sandbox", "per s"], [
            [f"{NAMES[kind]}, {workers} worker{'s' if workers > 1 else ''}", thousands(median(results["registrations"], "per_second", side=kind, workers=workers))]
            for kind, workers in (("sqlite", 1), ("postgres", 1), ("postgres", 4))])]
    with open("benches/results/hot.svg", "w") as file:
        file.write(picture(hot))
    compared = f"{times:.0f}" if times else "not_installed"
    return "\n".join(out), f"hot_get_ratio={worst_speed:.2f} p99_ratio={worst_tail:.2f} vs_contextforge={compared}"


if __name__ == "__main__":
    with open(sys.argv[1]) as raw:
        report(json.load(raw))
