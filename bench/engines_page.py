"""Prints the tables of docs/engines/figures.md from the results of the three benches of engines.

python bench/engines_page.py rates INTERFACE|guides|shop|fastest|held|refused|profiles, or
machine RESULT; `scripts/generate` pastes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
RATE, HELD, PROFILES = "engines-rate", "engines-20k", "engine-profiles"
ALONE = "engines-rate-shop"
"""The shop and its twin with no other row's stack beside them."""
WAYS = ("none", "nginx", "haproxy")
PARTS = ("path", "workers", "edge")
MIB = 2**20
ROUNDS = 9
"""Fewer tell nothing apart."""


def read(name: str) -> dict[str, Any]:
    """A raw result."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def machine(name: str) -> list[str]:
    """Where, when and with what a result was measured."""
    found = read(name)
    versions, host = found["versions"], found["machine"]
    packages = ", ".join(f"{n} {v}" for n, v in found.get("packages", {}).items())
    count = len(found.get("rounds", ()))
    trial = "**A trial on a busy machine, of rough figures:** " if 0 < count < ROUNDS else ""
    rounds = f"{trial}{count} interleaved rounds. " if count else ""
    idle = found.get("idle_busy")
    busy = "" if idle is None else f" With nobody asking, {idle:.0%} of the cores were busy."
    return [
        f"{rounds}Run {found['at']} on {host['cores']:g} cores ({host['cpu_model']}), "
        f"{host['memory_bytes'] / 2**30:.0f} GiB, Linux {host['kernel_release']}; nginx "
        f"{versions['nginx']}, HAProxy {versions['haproxy']}"
        + (f", {packages}" if packages else f", Python {versions['python']}")
        + f".{busy}"
    ]


def path_us(said: dict[str, Any]) -> float:
    """Processor of workers and edge a request, in microseconds."""
    return float(said.get("workers_us", 0.0) + said.get("edge_us", 0.0))


def cell(said: dict[str, Any] | None) -> str:
    """Answers a second with the ends of the rounds, and the path's processor a request."""
    if said is None:
        return "not measured"
    ends = f"{said['least']:,.0f} to {said['most']:,.0f}"
    failed = f", **{said['failed']} failed**" if said["failed"] else ""
    return f"**{said['requests_s']:,.0f}** ({ends}), {path_us(said):,.0f} us{failed}"


def rates(interface: str) -> list[str]:
    """Of each engine of an interface: direct and behind each edge."""
    found = read(RATE)
    medians = found["medians"]
    engines = dict.fromkeys(
        row["engine"]
        for name, row in found["rows"].items()
        if row["interface"] == interface and row["engine"] and not name.startswith("shop/")
    )
    return [
        "| engine | direct | behind nginx | behind HAProxy |",
        "|---|---|---|---|",
        *(
            f"| {engine} | "
            + " | ".join(cell(medians.get(f"{engine}/{way}")) for way in WAYS)
            + " |"
            for engine in engines
        ),
    ]


def guides() -> list[str]:
    """The guides' configurations, beside our default and our fastest of the same interface."""
    found = read(RATE)
    medians = found["medians"]
    lines = [
        "| guide | interface | its configuration | ours by `--prefer throughput` | over it |",
        "|---|---|---|---|--:|",
    ]
    for name, row in found["rows"].items():
        best = found["fastest"].get(row["interface"], {}).get("row")
        if name.startswith("guide/") and name in medians and best:
            over = medians[best]["requests_s"] / medians[name]["requests_s"]
            guide = name.removeprefix("guide/")
            lines.append(
                f"| {guide} | {row['interface']} | {cell(medians[name])} | {best}, "
                f"{medians[best]['requests_s']:,.0f} | {over:.1f} |"
            )
    return lines


def shop() -> list[str]:
    """The shop behind our default over its twin in the DigitalOcean guide's configuration."""
    found = read(RATE)
    medians, over = found["medians"], found["shop_over_digitalocean"]
    rounds = ", ".join(f"{each:g}" for each in over["rounds"])
    alone = read(ALONE)
    times = of_both(medians["shop/digitalocean"]) / of_both(medians["shop/ours"])
    return [
        "| | answers a second |",
        "|---|---|",
        f"| the shop, uvicorn behind nginx (`holdfast up`) | {cell(medians['shop/ours'])} |",
        f"| its WSGI twin, the DigitalOcean guide | {cell(medians['shop/digitalocean'])} |",
        "",
        f"Median of the rounds' quotients: **{over['median']:g}** ({rounds}). Of edge and workers "
        f"alone an answer of the twin takes **{times:.1f}** times the processor.",
        "",
        f"The stacks of all other rows stand idle beside and keep {found['idle_busy']:.0%} of the "
        f"cores busy. Without them ({alone['idle_busy']:.0%}; `scripts/bench engines_rate shop`) "
        f"it is **{alone['shop_over_digitalocean']['median']:g}**: the shop answers "
        f"{cell(alone['medians']['shop/ours'])}, its twin "
        f"{cell(alone['medians']['shop/digitalocean'])}.",
    ]


def of_both(row: dict[str, Any]) -> float:
    """Microseconds of processor that an answer takes of edge and workers."""
    return float(row["edge_us"] + row["workers_us"])


def fastest() -> list[str]:
    """Of each interface the fastest pair, and those that it does not beat."""
    found = read(RATE)
    lines = []
    for interface, said in found["fastest"].items():
        level = ", ".join(f"`{name}`" for name in said["within_noise"]) or "none"
        lines.append(f"- {interface}: `{said['row']}`; not told apart from it: {level}")
    for interface, said in found["chosen_before"].items():
        faster = ", ".join(f"`{name}`" for name in said["beaten_by"]) or "none"
        lines.append(
            f"- {interface}, as chosen by the run before: `{said['row']}`; beaten by {faster}"
        )
    check = [
        f"{name} {found['wrk'][name] / said['requests_s']:.2f}"
        for name, said in found["medians"].items()
        if found["wrk"].get(name) and name.count("/") and not name.startswith(("guide", "shop"))
    ]
    return [*lines, f"- wrk's one round over the generator's median: {', '.join(check)}"]


def held() -> list[str]:
    """Every row of the 20,000."""
    found = read(HELD)
    lines = [
        "| engine, edge | asked | verdict | held (least witness) | for | failed | opened in "
        "| planned | path, over it | workers | edge |",
        "|---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in found["rows"].items():
        if "held" not in row:
            lines.append(f"| {name} | {row['in_flight']:,} | {row['verdict']} |" + " |" * 8)
            continue
        over = row["over_planned"]
        shares = (
            f"{over[part]:+.1%}" if part in over else "-" for part in ("path", "workers", "edge")
        )
        planned = sum(row["planned"].values()) / MIB
        lines.append(
            f"| {name} | {row['in_flight']:,} | {row['verdict']} | {row['held']:,}, by the "
            f"{row['held_by']} | {row['hold_s']:.0f} s | {row['failed']} | {row['opened_s']:.0f} s "
            f"| {planned:,.0f} MiB | " + " | ".join(shares) + " |"
        )
    return lines


def refused() -> list[str]:
    """What a plan says of the engines that are not held there."""
    found = read(HELD)
    lines = []
    for name, said in found["refused"].items():
        if "refused" in said:
            lines.append(f"- {name} is refused: {said['refused']}; it holds {said['fits']:,} here")
        else:
            size = said["memory_bytes"] / MIB
            lines.append(f"- {name} would take {said['workers']} workers and {size:,.0f} MiB")
    return lines


def profiles() -> list[str]:
    """What an idle process, a held request, an idle client and an answer cost on each engine."""
    lines = [
        "| engine | at | a process, MB | a request, bytes | an idle client, bytes | processor, us "
        "| taken |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for name, row in read(PROFILES)["series"].items():
        off = f" ± {row['request_cpu_s_off'] * 1e6:.0f}" if "request_cpu_s_off" in row else ""
        more = f" ± {row['request_bytes_off']:,.0f}" if "request_bytes_off" in row else ""
        lines.append(
            f"| {name} {row['version']} | {row['in_flight']:,} | {row['base_bytes'] / 1e6:.1f} "
            f"| {row['request_bytes']:,.0f}{more} | {row['idle_bytes']:,.0f} "
            f"| {row['request_cpu_s'] * 1e6:.0f}{off} | {row['taken_at'][:16]} |"
        )
    return lines


def main() -> None:
    """Print one of the tables."""
    every = (rates, machine, guides, shop, held, fastest, refused, profiles)
    tables = {table.__name__: table for table in every}
    print("\n".join(tables[sys.argv[1]](*sys.argv[2:])))  # type: ignore[operator]


if __name__ == "__main__":
    main()
