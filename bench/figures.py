"""Prints the README's table of figures from the raw results; `scripts/generate` pastes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
NAMES = {
    "demo-50k": "the shop (FastAPI), its upstream beside it",
    "demo-250k-wait": "a plain ASGI app that waits",
    "demo-250k-shop": "the shop (FastAPI), its upstream beside it",
}


def row(name: str, result: dict[str, Any]) -> str:
    """One line of the table."""
    size = result["memory_bytes"] / 2**30
    return (
        f"| {name} | {result['asked']:,} | {result['held']:,}, by the {result['held_by']} | "
        f"{result['idle']:,} | {result['hold_s']:.0f} s | {result['rate']:,.0f}/s | "
        f"{result['failed']} | {result['opened_s']:.0f} s | {size:.2f} GiB |"
    )


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
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
