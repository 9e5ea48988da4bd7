"""What is counted at one moment of a run, and a run's moments as columns. Records only.

Must not know how anything is counted, nor what counts as enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Phase = Literal["opening", "hold", "letting go"]


class Witnesses(msgspec.Struct, frozen=True):
    """Requests in flight as three independent counts have them, read back to back.

    `client` counts requests sent whole and not answered whole, `app` those started and not
    finished, `kernel` established connections of the server's port that are not idle clients',
    times the streams that each may carry (1 for HTTP/1.1): fewer than N / streams contradict N.
    None: this witness was not asked, or cannot say.
    """

    at_s: float
    client: int
    app: int | None
    kernel: int | None

    def least(self) -> tuple[int, str]:
        """The smallest count and whose it is; where two agree, the first of client, app, kernel."""
        counts = ((self.client, "client"), (self.app, "app"), (self.kernel, "kernel"))
        known = [(count, name) for count, name in counts if count is not None]
        return min(known, key=lambda pair: pair[0])


class Moment(msgspec.Struct, frozen=True):
    """One second of a run. `at_s` counts from its start; `rate` is answers a second since the last.

    `answered` and `failed` are totals so far; `queued` waits in the server's accept queues;
    `memory_bytes` is what the whole machine has less than before; `cpu_busy` is 0 to 1.
    """

    phase: Phase
    at_s: float
    witnesses: Witnesses
    rate: float
    answered: int
    failed: int
    idle: int
    opening: int
    queued: int
    memory_bytes: int
    lag_s_max: float
    cpu_busy: float


class Series(msgspec.Struct, frozen=True):
    """Every moment of a run, a list for each column; all have the same length.

    `memory_parts` are columns too: bytes of growth by the parts of the result's `memory`. Files of
    before they were kept have none.
    """

    phase: list[Phase]
    at_s: list[float]
    client: list[int]
    app: list[int | None]
    kernel: list[int | None]
    rate: list[float]
    answered: list[int]
    failed: list[int]
    idle: list[int]
    opening: list[int]
    queued: list[int]
    memory_bytes: list[int]
    lag_s_max: list[float]
    cpu_busy: list[float]
    memory_parts: dict[str, list[int]] = {}

    @classmethod
    def of(cls, moments: Iterable[Moment]) -> Series:
        """The columns of `moments`, seconds and shares rounded to what they are good for."""
        names = [name for name in cls.__struct_fields__ if name != "memory_parts"]
        columns: dict[str, list[object]] = {name: [] for name in names}
        for moment in moments:
            row = msgspec.structs.asdict(moment) | msgspec.structs.asdict(moment.witnesses)
            for name, column in columns.items():
                value = row[name]
                column.append(round(value, 4) if isinstance(value, float) else value)
        return cls(**columns)  # type: ignore[arg-type]
