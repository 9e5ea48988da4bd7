"""Writes what benches measured into the tables that ship with the package; nobody does by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FACTS = Path(__file__).parent.parent / "src" / "holdfast" / "facts"
PATH_US: Final = ("workers_us", "edge_us")


def write_rates(result: Path) -> None:
    """facts/rates.json from the result of `scripts/bench engines_rate`."""
    found = json.loads(result.read_text())
    rows = [
        found["rows"][name]
        | {
            "requests_s": round(said["requests_s"]),
            "least": round(said["least"]),
            "most": round(said["most"]),
            "path_us": round(sum(said.get(part, 0.0) for part in PATH_US), 1),
        }
        for name, said in found["medians"].items()
        if found["rows"][name]["engine"] and not name.startswith("shop")
    ]
    table = {
        "date": found["at"][:10],
        "source": f"bench/results/{result.name}",
        "connections": found["connections"],
        "cores": found["machine"]["cores"],
        "cpu_model": found["machine"].get("cpu_model"),
        "versions": _versions(found),
        "rows": rows,
    }
    (FACTS / "rates.json").write_text(_text(table))


def write_edges(result: Path) -> None:
    """The edges' rows of facts/profiles.json from the result of `scripts/bench edge_profile`."""
    found = json.loads(result.read_text())
    names = ("base_bytes", "connection_bytes", "request_bytes", "idle_bytes", "request_cpu_s")
    for program in ("nginx", "haproxy"):
        row = found[program]
        told = {"version": row["version"], "date": row.get("date", found["at"][:10])}
        write_row(program, told, result, {name: row[name] for name in names})


def write_row(name: str, told: dict[str, str], result: Path, costs: dict[str, Any]) -> None:
    """One row of facts/profiles.json: what is told of it, its source, and its costs."""
    target = FACTS / "profiles.json"
    rows = json.loads(target.read_text())
    rows[name] = told | {"source": f"bench/results/{result.name}"} | costs
    target.write_text(json.dumps(rows, indent=2) + "\n")


def _versions(found: dict[str, Any]) -> dict[str, str]:
    """Those of the engines' packages and of the edges, a Debian version without its revision."""
    edges = {name: found["versions"][name].partition("-")[0] for name in ("nginx", "haproxy")}
    return {**found["packages"], **edges}


def _text(table: dict[str, Any]) -> str:
    """The table as JSON, a row a line."""
    head = json.dumps({k: v for k, v in table.items() if k != "rows"}, indent=2)
    lines = ",\n".join(f"    {json.dumps(row)}" for row in table["rows"])
    return f'{head.removesuffix(chr(10) + "}")},\n  "rows": [\n{lines}\n  ]\n}}\n'
