"""Prints the tables of docs/audit-measured.md from bench/results/audited.json.

python bench/audited_page.py first|next|guides|runs|machine; `scripts/generate` pastes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from law_3_page import act, act_as_said, acts, by_stack, first_draws, machine, next_as_said

TARGET = Path(__file__).parent / "results" / "audited.json"


def named(wall: dict[str, Any]) -> str:
    """The setting that stops it, its value, and the line that says it."""
    where = f" at {wall['file']}:{wall['line']}" if "file" in wall else ", by default"
    return f"`{wall['setting']}` {wall['value']:g}{where}"


def first(found: dict[str, Any]) -> list[str]:
    """Of each stack the first draw: what was said of its files beside what was met."""
    lines = [
        "| stack | files | narrowest | sure | onset | best | next request | held | met "
        "| after `--fix` holds |",
        "|---|---|---|--:|--:|--:|---|--:|---|--:|",
    ]
    for name, run in first_draws(found):
        said, met = run["predicted"], run["met"]
        lines.append(
            f"| {name} | {', '.join(found['stacks'][name]['files'])} | {named(said)} "
            f"| {said['sure']} | {said['onset']} | {said['best']} | {act(said)} "
            f"| **{met['held']}** | **{acts(met)}** | **{run['fixed'].get('200', 0)}** |"
        )
    return lines


def following(found: dict[str, Any]) -> list[str]:
    """Of each stack the first draw with nothing but the named number raised in its text."""
    lines = [
        "| stack | raised | next wall | best | next request | held | met |",
        "|---|---|---|--:|---|--:|---|",
    ]
    for name, run in first_draws(found):
        said, met = run["next"], run["next_met"]
        raised = f"`{run['predicted']['setting']}`"
        if said is None:
            lines.append(f"| {name} | {raised} | the same line | | | {met['held']} | {acts(met)} |")
            continue
        lines.append(
            f"| {name} | {raised} | `{said['setting']}` {said['value']:g} "
            f"| {said['best']} | {act(said)} | **{met['held']}** | **{acts(met)}** |"
        )
    return lines


def guides(found: dict[str, Any]) -> list[str]:
    """Each guide's settings: what was said beside what was met."""
    lines = [
        "| guide | what runs | narrowest | sure | onset | best | next request | held | met |",
        "|---|---|---|--:|--:|--:|---|--:|---|",
    ]
    for name, (run,) in by_stack(found, "guides"):
        said, met = run["predicted"], run["met"]
        told = acts(met) if "acts" in met else f"{met['failed']} failed, {met['waited']} waited"
        lines.append(
            f"| {name} | {found['guides'][name]['shows']} | {named(said)} | {said['sure']} "
            f"| {said['onset']} | {said['best']} | {act(said)} | **{met['held']}** | **{told}** |"
        )
    return lines


def runs(found: dict[str, Any]) -> list[str]:
    """Of each stack all draws together."""
    lines = [
        "| stack | what it shows | runs | best was said | furthest from it | failed at sure "
        "| act as said | next wall as said | held the target once fixed |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, every in by_stack(found):
        stack = found["stacks"][name]
        best = [run["predicted"]["best"] for run in every]
        ended = [run for run in every if "fixed" in run]
        off = [abs(run["met"]["held"] - run["predicted"]["best"]) for run in ended]
        failed = sum(sum(run.get("failed_at_sure", {}).values()) for run in every)
        held = sum(run["fixed"] == {"200": stack["target"]} for run in ended)
        lines.append(
            f"| {name} | {stack['shows']} | {len(every)} | {min(best)} to {max(best)} "
            f"| {max(off, default='-')} | {failed} | {sum(map(act_as_said, ended))} "
            f"| {sum(map(next_as_said, ended))} | {held} |"
        )
    every = [run for run in found["runs"] if run["stack"] in found["stacks"]]
    broken, busy = sum(bool(run["broken"]) for run in every), sum(run["busy"] for run in every)
    lines += [
        "",
        f"{len(every)} runs of {len(found['stacks'])} stacks, {busy} of them with one core kept "
        f"busy: {broken} broke the law.",
    ]
    return lines


def main() -> None:
    """Print one of the tables."""
    tables = {"first": first, "next": following, "guides": guides, "runs": runs, "machine": machine}
    print("\n".join(tables[sys.argv[1]](json.loads(TARGET.read_text()))))


if __name__ == "__main__":
    main()
