"""Types of the records' fields: numbers that people write with a unit. No behaviour.

A field is `Annotated[Seconds, Meta(description=...)]`: the reference page is made of it.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

UNIT: Final = "unit"
DURATION: Final = "duration"
SIZE: Final = "size"
COUNT: Final = "count"

Seconds = Annotated[float, Meta(ge=0, extra={UNIT: DURATION})]
"""Seconds; written as `5s`, `50ms`, `2m`."""
Bytes = Annotated[int, Meta(ge=0, extra={UNIT: SIZE})]
"""Bytes; written as `64k`, `1 MiB`."""
Count = Annotated[int, Meta(ge=1, extra={UNIT: COUNT})]
"""A whole number of at least 1; written as `2000` or `50k`."""
