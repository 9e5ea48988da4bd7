"""Reload, scale and kill while many requests are in flight: what is lost, and how long it takes.

    scripts/bench operate [--share 1] [ROW ...]

A row is `reload ENGINE EDGE`, `scale EDGE` or `kill EDGE`; ROW, the beginning of one, runs those
alone. In flight are 50,000 and 20,000, and times are lognormal with means of 20 s (gevent's: 30 s)
and 10 s; or a share of both, so that the rate is the same. Each answer tells the version of its
code, and comes from a request with a nonce that the app has noted. Writes
bench/results/operate.json after each row. About 4 minutes a row. Needs both edges, and the machine
alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _rig import RESULTS, save
from tests.full.operated import OTHERS, RELOAD, killed, reloaded, scaled

TARGET = RESULTS / "operate.json"
EDGES = ("nginx", "haproxy")
FEW, MANY = 4, 8
Row = Callable[[Path], dict[str, Any]]


def rows(share: float) -> dict[str, Row]:
    """All rows by name, at this share of their sizes."""
    found: dict[str, Row] = {}
    for engine in RELOAD:
        for edge in EDGES:
            found[f"reload {engine} {edge}"] = partial(
                reloaded, engine=engine, edge=edge, load=RELOAD[engine].part(share)
            )
    told = {"engine": "uvicorn", "load": OTHERS.part(share)}
    for edge in ("none", *EDGES):
        found[f"scale {edge}"] = partial(scaled, edge=edge, few=FEW, many=MANY, **told)
    for edge in ("none", *EDGES):
        found[f"kill {edge}"] = partial(killed, edge=edge, **told)
    return found


def main() -> int:
    """Run the rows asked for; 1 where a reload or a scaling lost a request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", metavar="ROW")
    parser.add_argument("--share", type=float, default=1.0)
    given = parser.parse_args()
    done = json.loads(TARGET.read_text())["rows"] if TARGET.exists() else {}
    wrong = 0
    for name, run in rows(given.share).items():
        if given.only and not name.startswith(tuple(given.only)):
            continue
        with tempfile.TemporaryDirectory(prefix="holdfast-operate-") as folder:
            row = done[name] = run(Path(folder))
        save("operate", {"rows": done})
        wrong += not name.startswith("kill") and row["answered"] < row["sent"]
        print(name, row, flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
