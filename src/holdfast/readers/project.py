"""Reads `holdfast.toml`: what an app's requests are, what they use, what one of them costs.

Text and a name come in; what is wrong is told by key. Opens no file.
"""

from __future__ import annotations

import tomllib

import msgspec

from holdfast.model.care import Care
from holdfast.model.errors import BadInput
from holdfast.model.front.admission import Admission
from holdfast.model.front.front import Front
from holdfast.model.path import Demand, Kind, Use
from holdfast.model.profile import Profile
from holdfast.model.scale import Scale
from holdfast.model.units import parse_bytes, parse_seconds
from holdfast.model.values import Source, Value
from holdfast.readers.front import unmatched, with_numbers

TABLES = {"edge": Front, "admission": Admission, "care": Care, "scale": Scale}
"""Records of `model` that are tables; text with a unit is a number in them."""


class UseRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request takes of a service: `units` at once, held for `held` (its whole time)."""

    service: str
    units: float = 1.0
    held: str | None = None


class KindRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of request; `time` defaults to the demand's mean time. `body` is what it brings and
    `answer` what it gets, as sizes: an edge may keep them in memory or on disk."""

    name: str
    share: float = 1.0
    time: str | None = None
    uses: tuple[UseRow, ...] = ()
    body: str | None = None
    answer: str | None = None


class DemandRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the app is asked: the path (with `{id}`), how many ids, and what an idle client asks."""

    path: str = "/"
    ids: int = 1
    idle_path: str = "/"
    mean_time: str | None = None
    kinds: tuple[KindRow, ...] = ()


class ProfileRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one process and one request cost, measured; see `model.profile.Profile` for units.

    Of an app's workers, `engine` is what served it.
    """

    source: str
    base_bytes: float
    request_bytes: float
    idle_bytes: float
    request_cpu_s: float
    own_descriptors: int = 40
    shared_descriptors: int = 0
    version: str = ""
    engine: str = "uvicorn"


class ServiceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service behind the app; `command` starts it for a trial with `{ports}`, `{mean_s}`."""

    command: tuple[str, ...] = ()
    env: str = ""
    addresses: int | None = None
    profile: ProfileRow | None = None


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `env` is given to the workers, `{mean_s}` filled in."""

    app: str = ""
    demand: DemandRow = DemandRow()
    services: dict[str, ServiceRow] = {}
    env: dict[str, str] = {}
    edge: Front = Front()
    admission: Admission = Admission()
    care: Care = Care()
    scale: Scale = Scale()
    profile: ProfileRow | None = None


def read_project(text: str, name: str) -> Project:
    """The project of a `holdfast.toml`; raises BadInput with the file and key that is wrong."""
    try:
        told = tomllib.loads(text)
        for table, record in TABLES.items():
            if table in told:
                told[table] = with_numbers(told[table], record, f"$.{table}")
        project = msgspec.convert(told, Project)
    except tomllib.TOMLDecodeError as wrong:
        raise BadInput(f"not TOML: {wrong}", place=name, hint="see https://toml.io") from None
    except BadInput as bad:
        raise BadInput(bad.fault, place=name, hint=bad.hint) from None
    except msgspec.ValidationError as wrong:
        hint = "the keys are in docs/reference/project.md and docs/reference/edge.md"
        found = unmatched(wrong, told, Project) or BadInput(str(wrong))
        raise BadInput(found.fault, place=name, hint=found.hint or hint) from None
    for kind in project.demand.kinds:
        for use in kind.uses:
            if use.service not in project.services:
                raise BadInput(
                    f"kind `{kind.name}` uses the service `{use.service}`, which is not described",
                    place=name,
                    hint=f"add a table `[services.{use.service}]`",
                )
    return project


def project_demand(
    project: Project, *, in_flight: int, idle: int, mean_time_s: float, burst: int, streams: float
) -> Demand:
    """The demand that the project's kinds make of `in_flight` at `mean_time_s`.

    Times in the file keep their proportions: they are scaled so that their mean is `mean_time_s`.
    """
    rows = project.demand.kinds or (KindRow("requests"),)
    times = [parse_seconds(row.time) if row.time else mean_time_s for row in rows]
    shares = [row.share for row in rows]
    told = sum(s * t for s, t in zip(shares, times, strict=True)) / sum(shares)
    scale = mean_time_s / told
    kinds = tuple(
        Kind(
            row.name,
            row.share,
            time_s * scale,
            _uses(row, time_s, scale),
            body_bytes=parse_bytes(row.body) if row.body else 0,
            answer_bytes=parse_bytes(row.answer) if row.answer else 0,
        )
        for row, time_s in zip(rows, times, strict=True)
    )
    return Demand(in_flight, kinds, idle=idle, streams=streams, burst=burst)


def _uses(row: KindRow, time_s: float, scale: float) -> tuple[Use, ...]:
    return tuple(
        Use(use.service, use.units, (parse_seconds(use.held) if use.held else time_s) * scale)
        for use in row.uses
    )


def row_profile(row: ProfileRow, name: str) -> Profile:
    """The profile of a row, each number with its source."""

    def measured(setting: str, value: float) -> Value:
        return Value(setting, value, Source.MEASURED, row.source)

    return Profile(
        name,
        row.version,
        measured("base_bytes", row.base_bytes),
        measured("request_bytes", row.request_bytes),
        measured("idle_bytes", row.idle_bytes),
        measured("request_cpu_s", row.request_cpu_s),
        measured("own_descriptors", row.own_descriptors),
        measured("shared_descriptors", row.shared_descriptors),
    )
