"""`holdfast prove`: holds N requests at a loopback URL or an app, and says whether they held."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from holdfast.cli.admission import refuse_wait, wait_option
from holdfast.cli.context import Options, known_mean_time_s
from holdfast.cli.edges import AUTO, NONE, check_installed, edge_option, refuse_named
from holdfast.cli.engines import check_engine, engine_option, refuse_engine
from holdfast.cli.options import (
    COUNT,
    COUNT_OR_ZERO,
    SECONDS,
    check_app,
    json_option,
    profile_option,
    report_option,
)
from holdfast.cli.prefer import prefer_options, preferred, refuse_prefer
from holdfast.cli.rates import Rate, rate_options, take_rate
from holdfast.cli.spoken import check_http2, check_spoken, spoken_options
from holdfast.cli.target import UrlProof, prove_url
from holdfast.cli.tls import refuse_tls, tls_option
from holdfast.cli.verdict import prove_app
from holdfast.model.errors import BadInput


@click.command()
@click.argument("target")
@click.option("--in-flight", "-n", type=COUNT, default=None, help="Requests to hold at once.")
@rate_options
@spoken_options
@click.option("--idle", type=COUNT_OR_ZERO, default="0", help="Idle keep-alive clients beside.")
@click.option("--idle-path", default="/", show_default=True, help="What an idle client asks once.")
@click.option(
    "--hold", "hold_s", type=SECONDS, default=None, help="[default: 30 s, or 3 mean times]"
)
@click.option("--mean-time", type=SECONDS, default=None, help="Mean time of a request.")
@click.option("--ids", type=COUNT, default="10k", show_default=True, help="Values of {id}.")
@click.option("--app-dir", type=click.Path(), default=".", help="Folder of an app TARGET.")
@click.option("--config", type=click.Path(), default=None, help="The app's holdfast.toml.")
@profile_option
@edge_option(AUTO)
@engine_option
@tls_option
@prefer_options
@wait_option
@click.option(
    "--profile-out", type=click.Path(dir_okay=False), help="Take a profile, and write it here."
)
@click.option("--out", type=click.Path(dir_okay=False), default=None, help="Result file (JSON).")
@report_option
@json_option
def prove(target: str, **given: Any) -> int:
    """Hold N requests at TARGET, and say whether they held.

    TARGET is a loopback URL (`{id}` in it is filled with numbers) or an app, module:attribute,
    that is sized and started first; its holdfast.toml then says what is asked. A URL of
    `holdfast up` brings its own count as the third witness; any other has two: the client's and
    the kernel's. By rate each request goes when it is due, answered or not: the verdict is held
    when every one was answered well, and its time counts from when it was due.

    An https URL is loaded over TLS, and so is an app with `--tls`; the certificate is verified
    where `--ca` names what by. With `--streams 100` clients speak HTTP/2, so many a connection.

    \b
    holdfast prove http://127.0.0.1:8000/items/{id} --in-flight 2k --hold 30s
    holdfast prove shop:app --app-dir examples/shop -n 5k --mean-time 5s --json
    holdfast prove wait:app --app-dir examples/wait -n 2k --profile-out wait.json
    holdfast prove http://127.0.0.1:8000/ --rate 2k --arrivals poisson --for 1m
    holdfast prove https://127.0.0.1:8443/ --in-flight 2k --streams 100
    """
    given["mean_time_s"] = given.pop("mean_time")
    check_http2(given["streams"])
    profile_out = given.pop("profile_out")
    by_rate = take_rate(given)
    if profile_out is not None and by_rate is not None:
        hint = "leave `--rate` out: a profile is taken while N are held"
        raise BadInput("`--profile-out` contradicts `--rate`", place="--rate", hint=hint)
    if "://" in target:
        return _prove_url(target, given, profile_out or given["profile"], by_rate)
    check_app(target)
    if profile_out is not None:
        hint = "leave it out: a profile is of the app alone, and a plan adds what an edge takes"
        refuse_named(given["edge"], "`--profile-out`", hint)
        refuse_tls("`--profile-out`", hint, asked=given["tls"])
        check_spoken(None, given["streams"], given["ca"])
        given["edge"] = NONE
    check_installed(given["edge"])
    names = Options.__struct_fields__
    wanted = {key: value for key, value in given.items() if key in names}
    if by_rate is not None:
        wanted["in_flight"] = by_rate.in_flight(known_mean_time_s(Options(app=target, **wanted)))
    options = msgspec.structs.replace(Options(app=target, **wanted), here=True)
    wish = given["prefer"], given["interface"]
    options = preferred(options, *wish, edge_is_fixed=profile_out is not None)
    check_engine(options.engine)
    told = {name: given[name] for name in ("hold_s", "out", "report", "as_json")}
    if profile_out is not None:
        from holdfast.cli.profiling import profile_app

        return profile_app(options, profile_out=profile_out, **told)
    return prove_app(options, by_rate=by_rate, ca=given["ca"], **told)


def _prove_url(
    target: str, given: dict[str, Any], profile: str | None, by_rate: Rate | None
) -> int:
    """What runs already; options of what is started here are refused."""
    if profile:
        hint = "name the app itself, as `module:attribute`, with --app-dir"
        raise BadInput("a profile is of an app that is started here", place="TARGET", hint=hint)
    hint = "leave it out, or name the app itself, as `module:attribute`: nothing is started here"
    refuse_named(given["edge"], "a URL", hint)
    refuse_engine(given["engine"], hint)
    refuse_tls("a URL", "a URL says it by https://", asked=given["tls"])
    refuse_prefer(given["prefer"], "a URL", hint)
    refuse_wait(given["wait_s"], hint)
    if by_rate is not None:
        given["in_flight"] = by_rate.in_flight(given["mean_time_s"])
    names = UrlProof.__struct_fields__
    wanted = {key: value for key, value in given.items() if key in names}
    return prove_url(UrlProof(target=target, by_rate=by_rate, **wanted))
