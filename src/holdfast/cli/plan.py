"""`holdfast plan`: what a number takes on this machine. Starts nothing, imports no app."""

from __future__ import annotations

import click

from holdfast.cli import say, show
from holdfast.cli.context import Options, plan_path
from holdfast.cli.options import app_options, demand_options, json_option


@click.command()
@click.argument("app", default="")
@demand_options(None)
@app_options
@click.option("--explain", is_flag=True, help="Also print every value read of this machine.")
@json_option
def plan(app: str, explain: bool, as_json: bool, **given: object) -> int:
    """Size every limit on the way for a number of requests in flight.

    Prints what each hop holds (sure, onset, best), what limits it, and every value with its
    formula. APP is module:attribute; with a holdfast.toml beside it the plan knows what one
    request costs, without it that is assumed and said so.

    \b
    holdfast plan --in-flight 50k
    holdfast plan shop:app --app-dir examples/shop -n 50k --idle 5k
    holdfast plan shop:app -n 50k --json | jq .narrowest
    """
    planned = plan_path(make_options(app, given))
    if as_json:
        say.data(show.plan_json(planned))
    else:
        show.show_plan(planned, with_host=explain)
    return 0


def make_options(
    app: str, given: dict[str, object], *, surplus: int = 0, here: bool = False
) -> Options:
    """Options from what click parsed; the names differ only in their units."""
    values = dict(given)
    values["mean_time_s"] = values.pop("mean_time")
    return Options(app=app, surplus=surplus, here=here, **values)  # type: ignore[arg-type]
