"""Prints the README's table of figures from the raw results; `scripts/generate` pastes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
NAMES = {
    "demo-50k": "the shop (FastAPI), its upstream beside it",
    "demo-50k-nginx": "the shop behind nginx, its upstream beside it",
    "demo-50k-haproxy": "the shop behind HAProxy, its upstream beside it",
    "demo-250k-wait": "a plain ASGI app that waits",
    "demo-250k-shop": "the shop (FastAPI), its upstream beside it",
    "demo-500k-nginx": "a plain ASGI app behind nginx",
    "demo-500k-haproxy": "a plain ASGI app behind HAProxy",
    "demo-1m-wait": "a plain ASGI app that waits",
}

ANSWERED = {"shop": "the shop's `/`", "wait": "a plain ASGI app"}


def row(name: str, result: dict[str, Any]) -> str:
    """One line of the table."""
    size = result["memory_bytes"] / 2**30
    return (
        f"| {name} | {result['asked']:,} | {result['held']:,}, by the {result['held_by']} | "
        f"{result['idle']:,} | {result['hold_s']:.0f} s | {result['rate']:,.0f}/s | "
        f"{result['failed']} | {result['opened_s']:.0f} s | {size:.2f} GiB |"
    )


def read(stem: str) -> dict[str, Any] | None:
    """A raw result, or None where it was not measured."""
    path = REPOSITORY / "bench" / "results" / f"{stem}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def late_row(what: str, median: float, rounds: list[int]) -> str:
    """How late requests go at a share of the generator's capacity."""
    return (
        f"- generator at {what}, Poisson arrivals: p99 of how late a request goes "
        f"{median:,.0f} us, median of {len(rounds)} rounds of {min(rounds):,} to {max(rounds):,} us"
    )


def generator_rows() -> list[str]:
    """The generator's figures, as a list beside the table."""
    lines = []
    if (speed := read("generator")) is not None:
        for connections, ratios in speed["ratios_to_wrk"].items():
            said = ", ".join(f"{name.replace('_', ' ')} {n:.2f}" for name, n in ratios.items())
            rounds = len(speed["rounds"][connections])
            lines.append(
                f"- generator, {connections} connections to nginx: requests per CPU second over "
                f"wrk's, median of {rounds} interleaved pairs: {said}"
            )
        late = speed["half_late_us_p99"]
        lines.append(late_row("half of its closed loop's rate", late["median"], late["rounds"]))
    if (lag := read("lag")) is not None:
        half = lag["half"]
        rounds = half["late_us_p99_rounds"]["poisson"]
        what = f"half of its open loop's capacity, {half['rate']:,.0f}/s"
        lines.append(late_row(what, half["late_us_p99"]["poisson"], rounds))
    if (memory := read("client-memory")) is not None:
        each, most = memory["bytes_a_connection"], memory["points"][-1]["held"]
        lines.append(
            f"- generator's own memory, besides the kernel's: {each['anonymous']:.0f} bytes a held "
            f"connection, up to {most:,} in one process"
        )
    if (shim := read("shim")) is not None:
        cost = shim["us_a_request"]
        lines.append(
            f"- the count in the shim: {cost['plain']:.1f} us a request on the "
            f"{cost['plain_bare']:.0f} us of uvicorn and a plain app; {cost['nonce']:.1f} us where "
            "it also echoes a nonce, which uvicorn then writes; median of "
            f"{len(shim['pairs']['plain'])} interleaved pairs"
        )
    if (beside := read("locust")) is not None:
        each = ", ".join(f"{name} {count:,}" for name, count in beside["per_cpu_s"].items())
        lines.append(
            f"- {beside['users']} connections, requests per CPU second, {beside['locust']} beside "
            f"(FastHttpUser, its start included): {each}"
        )
    if (stalls := read("omission")) is not None:
        rows = stalls["percentiles"]
        worst = max(abs(row["off"]) for row in rows.values())
        wrk = stalls["wrk_10_connections"]
        lines.append(
            f"- a server that stops for 1 s in every 10, at {stalls['rate']}/s: {', '.join(rows)} "
            f"within {worst:.1%} of the analytic ones; wrk beside it says p90 {wrk['90']}, "
            f"p99 {wrk['99']}"
        )
    return ["", *lines, *edge_rows()] if lines else []


def edge_rows() -> list[str]:
    """What an edge costs a request, by CPU, beside the guides' nginx and beside none."""
    found = read("edges")
    lines = []
    for app, ways in found["medians"].items() if found else ():
        over = ", ".join(
            f"{kind} {ways[kind]['edge_over_guides']:.1f} times the guides' nginx "
            f"({ways[kind]['path_over_guides']:.1f} with the worker's own)"
            for kind in ("nginx", "haproxy")
        )
        each = ", ".join(f"{kind} {numbers['path']:,}" for kind, numbers in ways.items())
        lines.append(
            f"- an edge before {ANSWERED[app]}, requests per CPU second of the edge: {over}; "
            f"of edge and worker: {each}; median of {len(found['rounds'][app])} interleaved rounds"
        )
    return lines


def main() -> None:
    """Print the table, and what it was measured on."""
    found = []
    for stem, name in NAMES.items():
        path = REPOSITORY / "bench" / "results" / f"{stem}.json"
        if path.exists():
            found.append((name, json.loads(path.read_text())))
    about = found[0][1]["machine"]
    lines = [
        "| app | asked | held (least witness) | idle beside | for | answers | failed | opened in "
        "| memory, whole machine |",
        "|---|---|---|---|---|---|---|---|---|",
        *(row(name, result) for name, result in found),
        "",
        f"{about['cores']:g} cores ({about['cpu_model']}), "
        f"{about['memory_bytes'] / 2**30:.0f} GiB, Linux {about['kernel']}, "
        f"CPython {about['python']}, 20,000 descriptors a process; clients, app and upstream on "
        "the same machine.",
        *generator_rows(),
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
