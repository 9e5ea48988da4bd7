"""`holdfast up`: runs an app at the size that its number asks for, until it is stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from holdfast.cli import say, show
from holdfast.cli.admission import wait_option, worker_places
from holdfast.cli.caring import cared
from holdfast.cli.context import Planned, find_project, plan_path, project_file
from holdfast.cli.edges import AUTO, check_installed, edge_option
from holdfast.cli.engines import check_engine, engine_caps, engine_option
from holdfast.cli.options import SECONDS, app_options, check_app, demand_options, json_option
from holdfast.cli.plan import make_options
from holdfast.cli.prefer import prefer_options
from holdfast.cli.tls import tls_option
from holdfast.model.errors import BadInput
from holdfast.model.front.front import Front
from holdfast.sizing import operating
from holdfast.stack.config import Bound, EdgeConfig, StackConfig
from holdfast.stack.folders import resolved
from holdfast.stack.notify import notifying
from holdfast.stack.supervisor import Supervisor


@click.command()
@click.argument("app", default="")
@demand_options("2k")
@app_options
@edge_option(AUTO)
@engine_option
@tls_option
@prefer_options
@wait_option
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--grace", "grace_s", type=SECONDS, default="30s", help="Time to finish at a stop  [30s]"
)
@click.option(
    "--max-workers",
    type=click.IntRange(min=1),
    default=None,
    help="Workers that `scale` may ask for  [default: twice those planned; nginx: no more]",
)
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False),
    default="",
    help="Folder of logs and sockets  [default: a private one, removed at the end]",
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit that runs this; no more.")
@click.option("--explain", is_flag=True, help="Also print the source of every number.")
@json_option
def up(app: str, as_json: bool, explain: bool, print_unit: bool, **given: object) -> int:
    """Run an app sized for a number of requests in flight.

    nginx or HAProxy before one socket a worker, all owned by this process: what crashes is
    replaced, and connections that wait are not lost. Without either installed, or with
    `--edge none`, clients reach the workers themselves. An edge has limits of its own (the longest
    body, the longest wait, websockets only where asked for): a note of the plan says them. Stops on
    Ctrl-C or TERM once requests have finished. While it runs, `holdfast status`, `reload`, `scale`,
    `drain`, `down` and `logs` find it; HUP reloads, TTIN and TTOU are one worker more and one less,
    USR1 says what it really runs with: descriptors, backlogs, somaxconn. Where holdfast.toml names
    hosts (`[[edge.hosts]]`) those serve the app: no APP is given, and the edge alone runs here.

    \b
    holdfast up shop:app --app-dir examples/shop --in-flight 50k
    holdfast up main:app --port 8080 --in-flight 2k --grace 60s
    holdfast up mysite.wsgi:application --in-flight 2k
    holdfast up main:app -n 2k --print-unit
    """
    check_installed(str(given["edge"]))
    named = ("address", "port", "grace_s", "max_workers", "run_dir")
    told: dict[str, Any] = {name: given.pop(name) for name in named}
    options = make_options(app, given)
    check_engine(options.engine)
    project = find_project(options)
    check_served(app, project.edge)
    asked = told["max_workers"]
    told["max_workers"] = asked or project.scale.most
    planned = plan_path(options)
    config = cared(planned, stack_config(planned, **told), asked)
    if print_unit:
        from holdfast.cli.unit import unit_text

        say.lines(unit_text(planned, config, tuple(sys.argv[2:])))
        return 0
    if not as_json:
        show.show_plan(planned, explain=explain)
    for note in planned.notes if as_json else ():
        say.say(f"note: {note}")
    report = say.event_json if as_json else say.event_line
    with notifying(os.environ) as notify:
        return Supervisor(config, notify.after(report), turn=notify.step).run()


def check_served(app: str, front: Front) -> None:
    """Raise BadInput where no app is named, or one beside hosts that serve it."""
    if not front.hosts:
        check_app(app)
    elif app:
        raise BadInput(
            f"`{app}` would not run here: {len(front.hosts)} hosts serve it",
            place="APP",
            hint="leave it out, or leave `[[edge.hosts]]` out of holdfast.toml",
        )


def stack_config(
    planned: Planned,
    *,
    address: str,
    port: int,
    grace_s: float,
    max_workers: int | None = None,
    run_dir: str = "",
    env: dict[str, str] | None = None,
) -> StackConfig:
    """The stack's part of a plan: what the supervisor must make true."""
    if planned.project.edge.hosts:
        return StackConfig(
            *("", "."),
            address=address,
            port=port,
            slots=0,
            grace_s=grace_s,
            run_dir=run_dir,
            listen="slots",
            edge=EdgeConfig(planned.path.hop("edge"), front=_front(planned)),
        )
    workers = planned.path.hop("workers")
    settings = ("backlog", "nofile", "keep_alive_s")
    said = (value for value in workers.values if value.setting in settings)
    numbers = {value.setting: int(value.number) for value in said}
    mean_s = f"{planned.mean_time.number:g}"
    told = {key: text.replace("{mean_s}", mean_s) for key, text in planned.project.env.items()}
    config = StackConfig(
        app=planned.options.app or planned.project.app,
        app_dir=planned.options.app_dir,
        address=address,
        port=port,
        slots=workers.processes,
        backlog=numbers["backlog"],
        nofile=numbers["nofile"],
        keep_alive_s=numbers["keep_alive_s"],
        grace_s=grace_s,
        in_flight=planned.demand.in_flight,
        **engine_caps(planned.options.engine, workers),
        env={**told, **(env or {})},
        run_dir=run_dir,
        **_operating(planned, max_workers),
        places=worker_places(workers, planned.project.admission.health),
    )
    edge = next((hop for hop in planned.path.hops if hop.name == "edge"), None)
    if edge is None:
        return config
    idle_s = edge.links[0].dialler_idle_s.number
    return msgspec.structs.replace(
        config,
        listen="slots",
        edge=EdgeConfig(edge, front=_front(planned), health=planned.project.admission.health),
        dialler_idle_s=idle_s,
    )


def _operating(planned: Planned, max_workers: int | None) -> dict[str, Any]:
    """What the stack has room for while it runs."""
    path, demand = planned.path, planned.demand
    most = operating.most_slots(path, demand, max_workers)
    return {
        "most": int(most.number),
        "most_why": most.why,
        "sure": operating.sure_by_slots(path, demand, int(most.number)),
        "drains": int(operating.drains(path, demand).number),
        "bounds": tuple(_bounds(planned)),
    }


def _bounds(planned: Planned) -> Iterator[Bound]:
    """What each hop of the stack holds, and the memory that it is planned to take."""
    memory = planned.memory_by_hop()
    for hop in ("edge", "workers"):
        held = [holds.sure for limit, holds in planned.walls if limit.hop == hop]
        if held:
            yield Bound(hop, "requests", min(held))
        if hop in memory:
            yield Bound(hop, "memory", int(memory[hop]))


def _front(planned: Planned) -> Front:
    """What the edge does for the site, its folders found and known to be readable."""
    place = project_file(planned.options)
    return resolved(planned.project.edge, str(place.parent), str(place))
