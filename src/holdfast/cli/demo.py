"""`holdfast demo`: sizes, runs and proves an example app here, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from holdfast.cli.admission import wait_option
from holdfast.cli.context import Options
from holdfast.cli.edges import NONE, check_installed, edge_option
from holdfast.cli.engines import check_engine, engine_option
from holdfast.cli.options import (
    COUNT,
    COUNT_OR_ZERO,
    SECONDS,
    check_app,
    json_option,
    profile_option,
    report_option,
)
from holdfast.cli.prefer import prefer_options, preferred
from holdfast.cli.spoken import check_http2, streams_option
from holdfast.cli.tls import tls_option
from holdfast.cli.verdict import prove_app
from holdfast.model.errors import BadInput

EXAMPLES = {"shop:app": "shop", "wait:app": "wait"}
IDLE_SHARE = 10
"""One idle client beside so many in flight, where nothing is said."""


@click.command(short_help="Prove it here, on an example app: 50,000 in flight.")
@click.option(
    "--in-flight",
    "-n",
    type=COUNT,
    default="50k",
    show_default=True,
    help="Requests to hold at once.",
)
@click.option("--app", default="shop:app", show_default=True, help="shop:app, wait:app or yours.")
@click.option("--app-dir", type=click.Path(), default=None, help="Folder of your own app.")
@click.option("--config", type=click.Path(), default=None, help="Its holdfast.toml.")
@profile_option
@edge_option(NONE)
@engine_option
@tls_option
@prefer_options
@wait_option
@streams_option
@click.option(
    "--idle",
    type=COUNT_OR_ZERO,
    default=None,
    help="Idle keep-alive clients beside  [default: a tenth of N]",
)
@click.option(
    "--mean-time",
    type=SECONDS,
    default=None,
    help="Mean time of a request  [default: 20 s, longer where the cores need it]",
)
@click.option(
    "--hold",
    "hold_s",
    type=SECONDS,
    default=None,
    help="How long N are held  [default: three mean times]",
)
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="Result file (JSON).")
@report_option
@json_option
def demo(**given: Any) -> int:
    """Size a path for 50,000 requests in flight, run it here, and prove that it held.

    Starts the example shop (FastAPI) with its upstream, opens that many real HTTP clients, keeps
    every one of them waiting for an answer while answers flow, and counts them in three places.

    \b
    holdfast demo
    holdfast demo --edge nginx
    holdfast demo --in-flight 250k --app wait:app
    holdfast demo -n 2k --mean-time 2s --json
    """
    app = given["app"]
    check_app(app)
    check_installed(given["edge"])
    check_http2(given["streams"])
    idle = given["idle"]
    options = Options(
        app=app,
        app_dir=given["app_dir"] or _example_dir(app),
        config=given["config"],
        in_flight=given["in_flight"],
        idle=given["in_flight"] // IDLE_SHARE if idle is None else idle,
        mean_time_s=given["mean_time"],
        here=True,
        profile=given["profile"],
        edge=given["edge"],
        engine=given["engine"],
        tls=given["tls"],
        wait_s=given["wait_s"],
        streams=given["streams"],
    )
    options = preferred(options, given["prefer"], given["interface"])
    check_engine(options.engine)
    told = {name: given[name] for name in ("hold_s", "out", "report", "as_json")}
    return prove_app(options, **told)


def _example_dir(app: str) -> str:
    """Where an example stands: in the installed package, or in the repository."""
    name = EXAMPLES.get(app)
    if name is None:
        return "."
    package = Path(__file__).parent.parent
    for folder in (package / "_examples" / name, package.parent.parent / "examples" / name):
        if folder.is_dir():
            return str(folder)
    raise BadInput(
        f"the example `{app}` is not installed", place="--app", hint="run it from the repository"
    )
