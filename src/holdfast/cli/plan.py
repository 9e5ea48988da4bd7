"""`holdfast plan`: what a number takes on this machine. Starts nothing.

Imports no app; `--prefer` has a child import one whose text does not show what it speaks.
"""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli import say, show
from holdfast.cli.admission import wait_option
from holdfast.cli.context import Options, plan_path
from holdfast.cli.edges import AUTO, edge_option
from holdfast.cli.elsewhere import Elsewhere, host_options
from holdfast.cli.engines import engine_option
from holdfast.cli.options import app_options, check_app, demand_options, json_option
from holdfast.cli.prefer import prefer_options, preferred
from holdfast.cli.tls import tls_option


@click.command()
@click.argument("app", default="")
@demand_options(None)
@app_options
@edge_option(AUTO)
@engine_option
@tls_option
@prefer_options
@wait_option
@host_options
@click.option("--explain", is_flag=True, help="Also print the source of every number.")
@json_option
def plan(app: str, explain: bool, as_json: bool, **given: object) -> int:
    """Size every limit on the way for a number of requests in flight.

    Prints what limits it, narrowest first: no failure up to `sure`, failures may begin at
    `onset`, `best` is the most ever answered. APP is module:attribute; with a holdfast.toml
    beside it the plan knows what one request costs, without it that is assumed and said so.

    \b
    holdfast plan --in-flight 50k
    holdfast plan -n 50k --cores 16 --memory 32GiB --nofile 20k
    holdfast plan shop:app --app-dir examples/shop -n 50k --idle 5k
    holdfast plan shop:app -n 50k --json | jq .narrowest
    holdfast plan mysite.wsgi:application -n 5k --engine gthread
    holdfast plan shop:app --app-dir examples/shop -n 5k --prefer memory
    """
    if app:
        check_app(app)
    planned = plan_path(make_options(app, given))
    if as_json:
        say.data(show.plan_json(planned))
    else:
        show.show_plan(planned, explain=explain)
    return 0


def make_options(
    app: str, given: dict[str, object], *, surplus: int = 0, here: bool = False
) -> Options:
    """Options from what click parsed, with the engine and the edge that are preferred."""
    values: dict[str, Any] = dict(given)
    wish = values.pop("prefer"), values.pop("interface")
    values["mean_time_s"] = values.pop("mean_time")
    host = Elsewhere(*(values.pop(name, None) for name in Elsewhere.__struct_fields__))
    options = Options(app=app, surplus=surplus, here=here, host=host, **values)
    return preferred(options, *wish)
