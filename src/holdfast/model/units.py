"""Numbers as people write them: "50k", "64 KiB", "2s". Parses and prints; knows nothing else."""

from __future__ import annotations

import math
import re

from holdfast.model.errors import BadInput

_COUNT = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SECONDS |= {"d": 86_400.0}
_NUMBER = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z]*)", re.IGNORECASE | re.ASCII)


def _parse(text: str, factors: dict[str, float], what: str, example: str) -> float:
    match = _NUMBER.fullmatch(text.strip())
    factor = factors.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise BadInput(f"`{text}` is not {what}", hint=f"write it like {example}")
    return float(match[1].replace("_", "").replace(",", "")) * factor


def parse_count(text: str) -> int:
    """A positive whole number: "50k", "1.5M", "50_000". Raises BadInput for anything else."""
    value = _parse(text, dict(_COUNT), "a count", "`50k`, `1.5M` or `2000`")
    if value < 1 or value != int(value):
        hint = "write a whole number of at least 1, like `50k`"
        raise BadInput(f"`{text}` is not a positive whole number", hint=hint)
    return int(value)


def parse_bytes(text: str) -> int:
    """A number of bytes: "64 KiB", "64k" (binary, as servers read it), "1.5 GB" (decimal)."""
    return int(_parse(text, dict(_BYTES), "a size in bytes", "`64 KiB` or `2 GB`"))


def parse_seconds(text: str) -> float:
    """A duration in seconds: "2s", "50ms", "5m", "30d", "20". Raises BadInput for anything else."""
    return _parse(text, _SECONDS, "a duration", "`20s`, `50ms` or `5m`")


def format_count(value: float) -> str:
    """A count with thousands separated: 50,000; infinity is "unlimited"."""
    return "unlimited" if math.isinf(value) else f"{value:,.0f}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 worker, 1,200 workers, 3 processes."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"


def format_bytes(value: float) -> str:
    """Bytes with a binary unit and three figures: 64 KiB, 1.52 GiB."""
    size, unit = float(value), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.3g} {unit}" if abs(size) < 1000 else f"{size:,.0f} {unit}"


def format_seconds(value: float) -> str:
    """A duration with the unit that reads best: 50 ms, 20 s, 3 min 5 s."""
    if value >= 120:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    if value >= 1 or value == 0:
        return f"{value:.3g} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} us"
