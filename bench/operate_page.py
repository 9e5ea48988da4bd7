"""Prints the tables of docs/operate/measured.md from bench/results; `scripts/generate` pastes them.

python bench/operate_page.py reload|scale|kill, or peers|machine RESULT ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from engines_page import read
from law_3_page import machine as machine_of

from holdfast.model.units import format_bytes

OPERATE = "operate"
LATE_S = 30.0
"""What a reload may take beside twice the 99th percentile of the answers."""


def machine(name: str) -> list[str]:
    """When, where and with what a result was measured."""
    return machine_of(read(name))


def rows_of(kind: str) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The rows of one kind, with the words after it: `reload ENGINE EDGE`."""
    for name, row in read(OPERATE)["rows"].items():
        first, *others = name.split()
        if first == kind:
            yield others, row


def lost(row: dict[str, Any]) -> int:
    """Requests without their answer."""
    return int(row["sent"] - row["answered"])


def edge(name: str) -> str:
    """As a reader knows it."""
    return "direct" if name == "none" else name


def reload() -> list[str]:
    """New code for every worker."""
    return [
        "| engine | edge | in flight | asked | lost | twice | s | at most | memory | planned |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {engine} | {edge(way)} | {row['least_in_flight']:,} | {row['sent']:,} | "
            f"{lost(row)} | {row['twice']} | {row['took_s']:.1f} | {2 * row['p99_s'] + LATE_S:.1f} "
            f"| {format_bytes(row['grown_bytes'])} | {format_bytes(row['planned_bytes'])} |"
            for (engine, way), row in rows_of("reload")
        ),
    ]


def scale() -> list[str]:
    """More workers, newcomers, and fewer again."""
    return [
        "| edge | clients at first | asked | lost | up, s | down, s |",
        "|---|--:|--:|--:|--:|--:|",
        *(
            f"| {edge(way)} | {row['clients']:,} | {row['sent']:,} | {lost(row)} "
            f"| {row['up']['took_s']:.2f} | {row['down']['took_s']:.2f} |"
            for (way,), row in rows_of("scale")
        ),
    ]


def kill() -> list[str]:
    """One worker killed."""
    return [
        "| edge | clients | inside it | unread by it | failed | replaced, s | and asked, s |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {edge(way)} | {row['clients']:,} | {row['inside']:,} "
            f"| {row['sent'] - row['begun']:,} | {row['failed']:,} | {row['replaced_s']:.2f} "
            f"| {row['serving_s']:.2f} |"
            for (way,), row in rows_of("kill")
        ),
    ]


def peers(*names: str) -> list[str]:
    """The reloads of other servers beside ours."""
    return [
        "| server | in flight | workers | asked | lost | twice | s | memory before | at most |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {server} | {row['held']:,} | {row['workers']} | {row['sent']:,} | {row['lost']:,} "
            f"| {row['twice']} | {told_s(row)} | {format_bytes(row['steady_bytes'])} "
            f"| {format_bytes(row['peak_bytes'])} |"
            for name in names
            for server, row in read(name)["rows"].items()
        ),
    ]


def told_s(row: dict[str, Any]) -> str:
    """How long a reload took, or that it was given up."""
    return f"{row['took_s']:.1f}" if row["is_over"] else f"over {row['took_s']:.0f}"


def main() -> None:
    """Print one of the tables."""
    tables = {"reload": reload, "scale": scale, "kill": kill, "peers": peers, "machine": machine}
    print("\n".join(tables[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
