"""Prints the tables of docs/law-3.md from bench/results; `scripts/generate` pastes them.

python bench/law_3_page.py first|next|runs|machine|engines
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TARGET, ENGINES = RESULTS / "law-3.json", RESULTS / "law-3-engines.json"


def act(wall: dict[str, Any]) -> str:
    """What the next request meets, as it was said."""
    told = f" {wall['told'][:3]}" if wall["act"] == "refuses" else ""
    return " or ".join([wall["act"] + told, *wall["also"]])


def acts(met: dict[str, Any]) -> str:
    """What the next requests met."""
    shown = {"refuses": " ".join(["refuses", *met["statuses"]])}
    return ", ".join(shown.get(one, one) for one in met["acts"])


def setting(said: dict[str, Any]) -> str:
    """The setting of a wall, with what it was."""
    return f"`{said['setting']}` {said['value']:g}"


def outcome(said: dict[str, Any], met: dict[str, Any]) -> str:
    """What was said of a wall, beside what was met."""
    return f"{said['best']} | {act(said)} | **{met['held']}** | **{acts(met)}**"


def first(found: dict[str, Any]) -> list[str]:
    """Of each stack the first draw: what was said of its wall beside what was met."""
    return [
        "| stack | narrowest | sure | onset | best | next request | held | met |",
        "|---|---|--:|--:|--:|---|--:|---|",
        *(
            f"| {name} | {setting(said := run['predicted'])} | {said['sure']} | {said['onset']} "
            f"| {outcome(said, run['met'])} |"
            for name, run in first_draws(found)
        ),
    ]


def later(found: dict[str, Any]) -> list[str]:
    """Of each stack the first draw with the narrowest setting raised."""
    return [
        "| stack | raised | next wall | best | next request | held | met |",
        "|---|---|---|--:|---|--:|---|",
        *(
            f"| {name} | `{run['predicted']['setting']}` | {setting(run['next'])} "
            f"| {outcome(run['next'], run['next_met'])} |"
            for name, run in first_draws(found)
        ),
    ]


def runs(found: dict[str, Any]) -> list[str]:
    """Of each stack all draws together."""
    lines = [
        "| stack | kind | what it shows | runs | best was said | furthest from it | failed at sure "
        "| act as said | next wall as said |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, every in by_stack(found):
        stack = found["stacks"][name]
        best = [run["predicted"]["best"] for run in every]
        ended = [run for run in every if "next_met" in run]
        off = [abs(run["met"]["held"] - run["predicted"]["best"]) for run in ended]
        failed = sum(sum(run.get("failed_at_sure", {}).values()) for run in every)
        lines.append(
            f"| {name} | {stack['kind']} | {stack['shows']} | {len(every)} "
            f"| {min(best)} to {max(best)} | {max(off, default='-')} | {failed} "
            f"| {sum(map(act_as_said, ended))} | {sum(map(next_as_said, ended))} |"
        )
    ran = f"{len(found['runs'])} runs of {len(found['stacks'])} stacks"
    return [*lines, "", f"{ran}, {law_broken(found)}"]


def engines(found: dict[str, Any]) -> list[str]:
    """Of each engine, direct and behind each edge, all draws together."""
    lines = [
        "| engine | place | its wall | runs | best was said | furthest from it | failed at sure "
        "| next request | as said |",
        "|---|---|---|--:|--:|--:|--:|---|--:|",
    ]
    for name, every in by_stack(found):
        stack, ended = found["stacks"][name], [run for run in every if "met" in run]
        best = [run["predicted"]["best"] for run in every]
        off = [abs(run["met"]["held"] - run["predicted"]["best"]) for run in ended]
        failed = sum(sum(run.get("failed_at_sure", {}).values()) for run in every)
        acts_drawn = sorted({act(run["predicted"]) for run in every})
        lines.append(
            f"| {stack['engine']} | {stack['place']} | {every[0]['predicted']['resource']} "
            f"| {len(every)} | {min(best)} to {max(best)} | {max(off, default='-')} | {failed} "
            f"| {', '.join(acts_drawn)} | {sum(map(act_as_said, ended))} |"
        )
    return [*lines, "", f"{len(found['runs'])} runs, {law_broken(found)}"]


def law_broken(found: dict[str, Any]) -> str:
    """How many of the runs had a busy core, and how many broke the law."""
    broken, busy = (sum(bool(run[what]) for run in found["runs"]) for what in ("broken", "busy"))
    return f"{busy} of them with one core kept busy: {broken} broke the law."


def act_as_said(run: dict[str, Any]) -> bool:
    """Whether the next requests met the act, and nothing that does not stand beside it."""
    said, met = run["predicted"], run["met"]
    return said["act"] in met["acts"] and set(met["acts"]) <= {said["act"], *said["also"]}


def next_as_said(run: dict[str, Any]) -> bool:
    """Whether nothing was wrong with the wall that was met after the first was raised."""
    return not any(complaint.startswith("raised") for complaint in run["broken"])


def machine(found: dict[str, Any]) -> list[str]:
    """Where and with what it was run."""
    versions, host = found["versions"], found["machine"]
    return [
        f"Run {found['at']} with nginx {versions['nginx']}, HAProxy {versions['haproxy']}, Python "
        f"{versions['python']}; Linux {host['kernel_release']}, {host['cores']:g} cores, "
        f"{host['memory_bytes'] / 2**30:.0f} GiB."
    ]


def first_draws(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Of each stack the run with the lowest seed."""
    return [(name, min(runs, key=lambda run: run["seed"])) for name, runs in by_stack(found)]


def by_stack(found: dict[str, Any], kind: str = "stacks") -> list[tuple[str, list[dict[str, Any]]]]:
    """The runs of each stack, or of each of another kind, in the order in which those stand."""
    order = list(found[kind])
    runs = [run for run in found["runs"] if run["stack"] in order]
    runs.sort(key=lambda run: order.index(run["stack"]))
    return [(name, list(group)) for name, group in groupby(runs, key=lambda run: run["stack"])]


def main() -> None:
    """Print one of the tables."""
    tables = {"first": first, "next": later, "runs": runs, "machine": machine, "engines": engines}
    target = ENGINES if sys.argv[1] == "engines" else TARGET
    print("\n".join(tables[sys.argv[1]](json.loads(target.read_text()))))


if __name__ == "__main__":
    main()
