"""From options to a sized path: reads host and project, asks the sizing. Prints nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import msgspec

from holdfast.cli.admission import admission_notes, with_wait
from holdfast.cli.edges import (
    NONE,
    Chosen,
    body_notes,
    check_front,
    choose_edge,
    edge_layout,
    edge_notes,
)
from holdfast.cli.elsewhere import Elsewhere, planned_host
from holdfast.cli.engines import has_threads, measured_on, on_engine
from holdfast.cli.hosts import elsewhere, host_notes
from holdfast.cli.opening import OPEN_RATE, generator_row, open_rate, shared
from holdfast.cli.tls import certificate_notes, placed, tls_notes, with_tls
from holdfast.facts.profiles import read_profiles
from holdfast.model.errors import BadInput
from holdfast.model.front.front import Front
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand, Host, Path
from holdfast.model.profile import Profile
from holdfast.model.units import parse_seconds
from holdfast.model.values import Source, Value, assumed
from holdfast.programs.catalog import path_walls
from holdfast.programs.kernel import PROCESSOR_SHARE, memory_parts
from holdfast.readers.project import Project, project_demand, read_project, row_profile
from holdfast.sizing import operating
from holdfast.sizing.layout import Layout, Service
from holdfast.sizing.path import size
from holdfast.wire import USUAL_ENGINE

CONFIG_NAME = "holdfast.toml"
OPENINGS = 2
"""A chosen mean time is at least twice the opening, so that answers hardly slow it down."""
USUAL_TIME_S = 20.0
"""The mean time of a demo; longer where the machine cannot answer so fast."""
TRIAL_KEEP_ALIVE_S = 3600.0
"""Idle clients of a trial stay silent through all of it."""
RATE_MARGIN = 0.35
"""A chosen mean time asks for this part of the rate that the processor is planned for: a request
costs more where tens of thousands are held and their memory is cold, and the more, the more the
neighbours of a virtual machine use the same caches. The shop's was measured as 527 us at 5,000 in
flight and, at 50,000, 743 us on a quiet host and 1,745 us on a busy one (design note 0006): 0.35
leaves room for 2.9 times what a profile says before `PROCESSOR_SHARE` is passed."""


class Options(msgspec.Struct, frozen=True):
    """What the command line said; None where it said nothing.

    `usual_time_s` is the mean time where none is said and the processor asks for no longer one.
    `said` is what to note of how engine and edge were chosen, where they were not told.
    """

    app: str
    app_dir: str
    config: str | None
    in_flight: int
    idle: int | None = None
    mean_time_s: float | None = None
    burst: int | None = None
    streams: int = 1
    surplus: int = 0
    here: bool = False
    host: Elsewhere = Elsewhere()
    profile: str | None = None
    usual_time_s: float = USUAL_TIME_S
    edge: str = NONE
    engine: str = USUAL_ENGINE
    tls: bool = False
    said: tuple[str, ...] = ()
    wait_s: float | None = None


class Planned(msgspec.Struct, frozen=True):
    """A sized path with everything that it was sized from. `here`: load and services are local."""

    options: Options
    project: Project
    demand: Demand
    host: Host
    path: Path
    walls: tuple[tuple[Limit, Holds], ...]
    mean_time: Value
    notes: tuple[str, ...] = ()
    open_rate: float = OPEN_RATE

    @property
    def memory_bytes(self) -> int:
        """What the whole path takes on this host at the demand, over having nothing started."""
        return int(sum(self.memory_by_hop().values()))

    def memory_by_hop(self) -> dict[str, float]:
        """Bytes by hop, the kernel's share for its sockets included."""
        kernel = self.path.hop("kernel")
        found = {}
        for hop in self.path.hops:
            if hop.host != self.host.name or hop is kernel:
                continue
            base, request, idle = memory_parts(hop, self.path, self.demand)
            found[hop.name] = base + request * self.demand.in_flight + idle * self.demand.idle
        return found

    def worker_memory(self) -> Value:
        """What a worker may take of memory before it is replaced; 0: whatever it takes."""
        written = self.project.care.memory
        if written is not None:
            return Value("memory_bytes", written, Source.WRITTEN, f"`[care]` of {CONFIG_NAME}")
        slots = max(self.path.hop("workers").processes, self.project.scale.most or 0)
        return operating.worker_memory(self.path, self.demand, slots)


def plan_path(options: Options, sizing: Callable[[Demand, Host, Layout], Path] = size) -> Planned:
    """Size the path for the options on this host; raises BadInput or Impossible."""
    project, notes = with_profile(find_project(options), options)
    host = planned_host(options.host)
    if project.edge.hosts and (options.here or sizing is not size):
        raise BadInput(
            f"{len(project.edge.hosts)} hosts serve the app, and its workers are not here",
            place="[[edge.hosts]]",
            hint="run this where they are; `plan` and `up` take hosts",
        )
    chosen = choose_edge(options.edge, options.host)
    project = with_tls(project, asked=options.tls, chosen=chosen)
    check_front(chosen, project.edge)
    project = with_wait(project, options.wait_s, options.engine)
    has_tls = project.edge.tls is not None
    opening = open_rate(
        tls=has_tls, streams=options.streams, cores=host.cores, server=chosen.program
    )
    layout = make_layout(project, options, opening)
    mean_time = _mean_time(options, project, layout, host, chosen)
    layout = with_edge(layout, chosen, mean_time.number, project.edge)
    offered = options.in_flight + options.surplus
    demand = project_demand(
        project,
        in_flight=offered,
        idle=options.idle or 0,
        mean_time_s=mean_time.number,
        burst=_burst(options, offered / mean_time.number),
        streams=options.streams,
    )
    path = sizing(demand, host, layout)
    walls = path_walls(path, demand)
    notes += (*options.said, *chosen.notes, *edge_notes(path), *tls_notes(path, demand))
    tls, is_here = project.edge.tls, options.host == Elsewhere()
    notes += certificate_notes(tls, is_here=is_here, starts=options.here)
    notes += host_notes(path, project.edge, demand)
    notes += admission_notes(project, walls)
    notes += body_notes(chosen.program, project.edge.body, demand, host)
    return Planned(options, project, demand, host, path, walls, mean_time, notes, opening)


def _burst(options: Options, rate: float) -> int:
    """Given, or what arrives within one second at the implied rate."""
    asked = math.ceil(rate) if options.burst is None else options.burst
    return min(asked, options.in_flight + options.surplus)


def project_file(options: Options) -> FilePath:
    """Where the app's `holdfast.toml` is, or would be."""
    told = options.config
    return FilePath(told) if told else FilePath(options.app_dir) / CONFIG_NAME


def find_project(options: Options) -> Project:
    """The app's `holdfast.toml`: as told, or beside the app; an empty one where there is none."""
    told, place = options.config, project_file(options)
    if not FilePath(options.app_dir).is_dir():
        hint = "name the folder that the app is imported from"
        raise BadInput(f"no folder `{options.app_dir}`", place="--app-dir", hint=hint)
    try:
        return placed(read_project(place.read_text("utf-8"), str(place)), str(place.parent))
    except FileNotFoundError:
        if told:
            hint = "leave `--config` out, or name a file that exists"
            raise BadInput(f"no file `{place}`", place="--config", hint=hint) from None
        return Project()
    except (OSError, UnicodeDecodeError) as wrong:
        hint = "make it a UTF-8 text file that you can read"
        raise BadInput(f"cannot read it: {wrong}", place=str(place), hint=hint) from None


def with_profile(project: Project, options: Options) -> tuple[Project, tuple[str, ...]]:
    """The project with what `--profile` measured in place of its own rows; and what to note."""
    if options.profile is None:
        return project, ()
    from holdfast.cli.profiled import app_notes, measured_rows
    from holdfast.proof.profile_file import read_profile

    taken = read_profile(options.profile)
    project = measured_rows(project, taken, options.profile)
    return project, app_notes(taken, options.app or project.app)


def make_layout(project: Project, options: Options, opening_rate: float = OPEN_RATE) -> Layout:
    """What is on this host: workers; and services and the generator, where a trial runs here."""
    end = _fact("kernel", "socket_end_bytes")
    services = tuple(
        Service(
            name,
            None if row.addresses is None else assumed("addresses", row.addresses, "told"),
            row_profile(row.profile, name) if options.here and row.profile else None,
        )
        for name, row in project.services.items()
    )
    worker = row_profile(project.profile, "uvicorn") if project.profile else assumed_profile()
    worker = on_engine(worker, options.engine, measured_on(project))
    if project.edge.hosts:
        return Layout(elsewhere(worker), end)
    told: dict[str, Any] = {"engine": options.engine, "admission": project.admission}
    if has_threads(options.engine):
        told["thread_bytes"] = _fact("kernel", "thread_bytes")
    if not options.here:
        return Layout(worker, end, services, **told)
    row = generator_row(tls=project.edge.tls is not None, streams=options.streams)
    generator = shared(fact_profile(row), options.streams)
    return Layout(
        worker,
        end,
        services,
        generator,
        keep_alive_s=TRIAL_KEEP_ALIVE_S,
        opening_rate=opening_rate,
        **told,
    )


def with_edge(layout: Layout, chosen: Chosen, mean_time_s: float, front: Front) -> Layout:
    """The layout with the edge before its workers, which keeps clients as long as they would."""
    edge = edge_layout(
        chosen,
        mean_time_s,
        keep_alive_s=layout.keep_alive_s,
        grace_s=layout.grace_s,
        opening_rate=layout.opening_rate,
        front=front,
    )
    end = None if edge is None else _fact("kernel", "unix_end_bytes")
    return msgspec.structs.replace(layout, edge=edge, unix_end_bytes=end)


def fact_profile(name: str) -> Profile:
    """The measured profile of a program that ships with Holdfast."""
    names = ("base_bytes", "request_bytes", "idle_bytes", "request_cpu_s", "own_descriptors")
    numbers = [_fact(name, setting) for setting in (*names, "shared_descriptors")]
    return Profile(name, str(read_profiles()[name]["version"]), *numbers)


def assumed_profile() -> Profile:
    """The profile of an app that was never measured: larger than most, and said to be assumed."""
    row: dict[str, Any] = read_profiles()["unmeasured"]
    numbers = [
        assumed(name, row[name], str(row["why"]))
        for name in (
            "base_bytes",
            "request_bytes",
            "idle_bytes",
            "request_cpu_s",
            "own_descriptors",
            "shared_descriptors",
        )
    ]
    return Profile("uvicorn", str(row["version"]), *numbers)


def _fact(name: str, setting: str) -> Value:
    row = read_profiles()[name]
    why = f"{name} {row['version']}, {row['date']}, {row['source']}"
    return Value(setting, row[setting], Source.MEASURED, why)


def known_mean_time_s(options: Options) -> float | None:
    """As told, or as the project says; None where nobody says."""
    if options.mean_time_s is not None:
        return options.mean_time_s
    written = find_project(options).demand.mean_time
    return None if written is None else parse_seconds(written)


def _mean_time(
    options: Options, project: Project, layout: Layout, host: Host, chosen: Chosen
) -> Value:
    """As told; else as long as the processor needs for the rate to be carried, 20 s at least."""
    if options.mean_time_s is not None:
        if options.mean_time_s <= 0:
            hint = "name how long a request takes, like `20s`"
            raise BadInput("a mean time of zero makes no rate", place="--mean-time", hint=hint)
        return Value("mean_time_s", options.mean_time_s, Source.WRITTEN, "--mean-time")
    if project.demand.mean_time is not None:
        written = parse_seconds(project.demand.mean_time)
        return Value("mean_time_s", written, Source.WRITTEN, CONFIG_NAME)
    cpu_s = layout.worker.request_cpu_s.number
    if layout.generator is not None:
        cpu_s += layout.generator.request_cpu_s.number
    if chosen.program is not None:
        cpu_s += _fact(chosen.program, "request_cpu_s").number
    units = {use.service: use.units for kind in project.demand.kinds for use in kind.uses}
    for service in layout.services:
        if service.profile is not None:
            cpu_s += service.profile.request_cpu_s.number * units.get(service.name, 0.0)
    rate = host.cores * PROCESSOR_SHARE * RATE_MARGIN / cpu_s
    clients = options.in_flight + options.surplus
    opening_s = OPENINGS * clients / layout.opening_rate if options.here else 0.0
    longest = float(math.ceil(max(options.usual_time_s, clients / rate, opening_s)))
    why = (
        f"the most of {options.usual_time_s:g} s; what {cpu_s * 1e6:.0f} us a request on "
        f"{host.cores:g} cores ask for, {RATE_MARGIN:g} of that rate used; "
        f"and {OPENINGS} times the opening"
    )
    return assumed("mean_time_s", longest, why)
