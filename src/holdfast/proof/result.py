"""What a proof leaves behind: one versioned record, and its file. Reading it is others' work.

Decides the file's form and that it is written whole or not at all; must not know how it came about.
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.model.errors import BadInput
from holdfast.proof.files import check_writable, read_whole, write_whole
from holdfast.proof.moment import Series
from holdfast.proof.planned import PlannedPath
from holdfast.proof.verdict import Verdict

VERSION: Final = 1
"""Of the file's form; one more whenever a reader of the old form would misread the new."""
EXIT_CODES: Final[dict[Verdict, int]] = {"held": 0, "not held": 1, "void": 3}


class Least(msgspec.Struct, frozen=True):
    """The smallest count of each witness over the hold; None where a witness is missing."""

    client: int
    app: int | None
    kernel: int | None


class Totals(msgspec.Struct, frozen=True):
    """Every request: intended = sent + unsent, sent = answered + refused + failed + unfinished.

    `refused` were told 503 with Retry-After; 0 in files of before they were told from failed ones.
    """

    intended: int
    sent: int
    unsent: int
    answered: int
    failed: int
    unfinished: int
    refused: int = 0


class Spread(msgspec.Struct, frozen=True):
    """Percentiles in milliseconds."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Memory(msgspec.Struct, frozen=True):
    """Where the growth of used memory lies, in bytes, at the moment when it was largest.

    `other` is the rest of the whole machine's growth, of which `groups` names what named groups of
    processes hold. `reclaimable` is slab that grew beside all this: the system counts it as
    available, though what open sockets hold of it is not. `bytes_per_request` is the workers'
    growth under load over requests in flight.
    """

    workers: int
    generator: int
    kernel: int
    other: int
    reclaimable: int
    bytes_per_request: float
    groups: dict[str, int]


class Cpu(msgspec.Struct, frozen=True):
    """Processor use over the hold: `busy` of all cores (0 to 1), and seconds by group.

    `foreign` is the part of all cores (0 to 1) that other programs and the host took; None where
    they are not told from the server, and in files of before it was kept.
    """

    busy: float
    generator_s: float
    workers_s: float
    groups_s: dict[str, float]
    foreign: float | None = None


class About(msgspec.Struct, frozen=True):
    """The machine and the versions."""

    cores: float
    memory_bytes: int
    kernel: str
    python: str
    holdfast: str
    cpu_model: str


class Histograms(msgspec.Struct, frozen=True):
    """Filled buckets only, {index: count}, so that results can be merged."""

    response: dict[int, int]
    service: dict[int, int]
    lag: dict[int, int]


class OpenLoop(msgspec.Struct, frozen=True):
    """A run by rate. Rates are requests a second over `for_s`; `lag_ms` is how late requests went.

    `connections` is the most that were allowed. Response times count from when requests were due.
    """

    rate: float
    arrivals: str
    for_s: float
    connections: int
    intended_rate: float
    sent_rate: float
    answered_rate: float
    lag_ms: Spread


class Result(msgspec.Struct, frozen=True):
    """A proof's result. Counts are requests, times seconds, sizes bytes, unless the name says more.

    `held` is the smallest witness over the hold (`held_by` says which), or what was reached where
    no hold began; `rate` is answers a second over the hold; `memory_bytes` the largest growth of
    used memory of the whole machine over it. `counters` are the machine's that moved. `planned` is
    what the path was sized for, where it was sized by us; None in files of before it was kept.
    """

    version: int
    verdict: Verdict
    reasons: list[str]
    notes: list[str]
    asked: int
    held: int
    held_by: str
    failed: int
    unfinished: int
    answered: int
    hold_s: float
    memory_bytes: int
    rate: float
    opened_s: float
    idle: int
    witnesses: Least
    errors: dict[str, int]
    first_error: str | None
    counters: dict[str, int]
    totals: Totals
    response_ms: Spread
    service_ms: Spread
    lag_ms: Spread
    memory: Memory
    cpu: Cpu
    series: Series
    machine: About
    started_at: str
    histograms: Histograms
    planned: PlannedPath | None = None
    open_loop: OpenLoop | None = None

    @property
    def exit_code(self) -> int:
        """0 held, 1 not held, 3 void."""
        return EXIT_CODES[self.verdict]


_WRITTEN_BY: Final = "name a file that `holdfast prove --out FILE` or `demo --out FILE` wrote"


class _Version(msgspec.Struct):
    version: int


def encode(result: Result) -> bytes:
    """The result as JSON text, ending in a newline."""
    return msgspec.json.encode(result) + b"\n"


def write_result(result: Result, path: str) -> None:
    """Write the result to `path`, whole or not at all; a file that is there stays until then.

    Raises HoldfastError (place: the path) where the disk is full or the place is not writable.
    """
    write_whole(encode(result), path, "result")


def check_place(path: str) -> None:
    """Raise HoldfastError now where `write_result` could not write `path` at the end."""
    check_writable(path, "result")


def read_result(path: str) -> Result:
    """Read a result. Raises BadInput for no file, no result, or one of another version."""
    text = read_whole(path, "result", _WRITTEN_BY)
    try:
        version = msgspec.json.decode(text, type=_Version).version
        if version == VERSION:
            return msgspec.json.decode(text, type=Result)
    except msgspec.DecodeError as error:
        fault = f"this is not a result: {error}"
        raise BadInput(fault, place=path, hint=_WRITTEN_BY) from error
    hint = "read it with the release that wrote it, or run the proof again"
    raise BadInput(f"a result of version {version}, {VERSION} is known", place=path, hint=hint)
