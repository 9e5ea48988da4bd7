"""Writes what benches measured into the tables that ship with the package; nobody does by hand.

Each row is made of a bench's raw result alone, so that a test can make it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FACTS = Path(__file__).parent.parent / "src" / "holdfast" / "facts"
RESULTS = Path(__file__).parent / "results"
RATE, EDGES, ENGINES = (
    f"{name}.json" for name in ("engines-rate", "edge-profile", "engine-profiles")
)
TLS: Final = "edge-tls-profile.json"
PATH_US: Final = ("workers_us", "edge_us")
EDGE_COSTS: Final = (
    "base_bytes",
    "connection_bytes",
    "request_bytes",
    "idle_bytes",
    "request_cpu_s",
)
TLS_COSTS: Final = (
    *("tls_connection_bytes", "h2_request_bytes"),
    *("tls_handshake_cpu_s", "tls_resumed_cpu_s", "tls_load_cpu_s"),
)
SPARE_DESCRIPTORS: Final = 15
"""Beyond an idle worker's: what an app opens for itself."""

Rows = dict[str, dict[str, Any]]


def rates() -> dict[str, Any]:
    """What facts/rates.json says, from the result of `scripts/bench engines_rate`."""
    found = _result(RATE)
    edges = {name: found["versions"][name].partition("-")[0] for name in ("nginx", "haproxy")}
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
    return {
        "date": found["at"][:10],
        "source": _source(RATE),
        "connections": found["connections"],
        "cores": found["machine"]["cores"],
        "cpu_model": found["machine"].get("cpu_model"),
        "versions": {**found["packages"], **edges},
        "rows": rows,
    }


def edge_rows() -> Rows:
    """The edges' rows of facts/profiles.json, from the result of `scripts/bench edge_profile`."""
    found = _result(EDGES)
    return {
        name: {
            "version": row["version"],
            "date": row.get("date", found["at"][:10]),
            "source": _source(EDGES),
        }
        | {cost: row[cost] for cost in EDGE_COSTS}
        for name, row in ((name, found[name]) for name in ("nginx", "haproxy"))
    }


def tls_rows() -> Rows:
    """What TLS takes of the edges, from the result of `scripts/bench edge_tls_profile`."""
    found = _result(TLS)
    return {
        f"{name}-tls": {
            "version": found["versions"][name].partition("-")[0],
            "date": found["at"][:10],
            "source": _source(TLS),
        }
        | {cost: found[name][cost] for cost in TLS_COSTS}
        for name in ("nginx", "haproxy")
    }


def engine_rows() -> Rows:
    """The engines' rows of facts/profiles.json, from the series of `scripts/bench engine_profiles`.

    Rounded to what is known of them.
    """
    return {
        engine: {
            "version": row["version"],
            "date": row["taken_at"][:10],
            "source": _source(f"profile-wait-{engine}.json"),
            "base_bytes": int(round(row["base_bytes"], -5)),
            "request_bytes": int(round(row["request_bytes"], -1)),
            "idle_bytes": int(round(row["idle_bytes"], -1)),
            "request_cpu_s": round(row["request_cpu_s"], 6),
            "own_descriptors": row["own_descriptors"] + SPARE_DESCRIPTORS,
            "shared_descriptors": 0,
        }
        for engine, row in _result(ENGINES)["series"].items()
    }


def write_rates() -> None:
    """Write facts/rates.json, a row a line."""
    table = rates()
    head = json.dumps({k: v for k, v in table.items() if k != "rows"}, indent=2)
    lines = ",\n".join(f"    {json.dumps(row)}" for row in table["rows"])
    text = f'{head.removesuffix(chr(10) + "}")},\n  "rows": [\n{lines}\n  ]\n}}\n'
    (FACTS / "rates.json").write_text(text)


def write_rows(rows: Rows) -> None:
    """Put rows in the place of those of the same names in facts/profiles.json."""
    target = FACTS / "profiles.json"
    target.write_text(json.dumps(json.loads(target.read_text()) | rows, indent=2) + "\n")


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return found


def _source(name: str) -> str:
    return f"bench/results/{name}"
