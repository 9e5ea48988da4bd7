"""`holdfast tune`: what this machine lacks for a number, and changing it, and taking that back."""

from __future__ import annotations

import os
import pwd
import sys
from typing import Any

import click

from holdfast.cli import say
from holdfast.cli.context import plan_path
from holdfast.cli.edges import AUTO, edge_option
from holdfast.cli.engines import engine_option
from holdfast.cli.options import app_options, demand_options, json_option
from holdfast.cli.plan import make_options
from holdfast.cli.prefer import prefer_options
from holdfast.cli.show_tune import Compared, show_difference, show_tuning, tune_json
from holdfast.model.errors import BadInput
from holdfast.model.path import Demand, Host, Path
from holdfast.model.tuning import Keeper, Need, Tuning
from holdfast.observe.listeners import read_listeners
from holdfast.sizing import tune as sizing
from holdfast.sizing.layout import Layout
from holdfast.stack.record import Record
from holdfast.stack.tuning import Pending, Tuner
from holdfast.writers import limits, sysctl, systemd

PAM = "/etc/security"
"""Where there is no such folder no login reads limits.d (pam_limits)."""


@click.command()
@click.argument("app", default="")
@demand_options(None, required=False)
@app_options
@edge_option(AUTO)
@engine_option
@prefer_options
@click.option("--explain", is_flag=True, help="Also print why each setting is enough.")
@click.option("--diff", is_flag=True, help="Show what --apply would change, and change nothing.")
@click.option("--apply", is_flag=True, help="Make the changes: files, and the running values.")
@click.option("--yes", "-y", is_flag=True, help="Apply without asking.")
@click.option("--undo", is_flag=True, help="Put back exactly what was there before.")
@click.option("--force", is_flag=True, help="Undo also what somebody changed since.")
@click.option("--user", default=None, help="Whose login gets the limits  [default: yours]")
@click.option("--root", default="/", help="Folder that the files are below; values are live.")
@click.option("--state", default=None, envvar="HOLDFAST_STATE", help="Folder of the record.")
@json_option
def tune(app: str, **given: Any) -> int:
    """Compare this machine with what a number of requests in flight takes of it.

    Names the fewest settings that must change (without any one of them the number is not held),
    why, by whom, and the plan that works without. Nothing is ever lowered.

    --apply writes sysctl.d and limits.d files and the running values, all or none, after showing
    the difference; --undo puts everything back. Exit codes: 0 nothing (left) to change, 1 changes
    are needed, 2 bad input or impossible.

    \b
    holdfast tune --in-flight 50k
    holdfast tune shop:app --app-dir examples/shop -n 50k --diff
    sudo holdfast tune shop:app --app-dir examples/shop -n 50k --apply
    sudo holdfast tune --undo
    """
    does = {name: given.pop(name) for name in ("explain", "diff", "apply", "yes", "undo", "force")}
    as_json, user = given.pop("as_json"), given.pop("user")
    root = given.pop("root")
    tuner = Tuner(root, given.pop("state"))
    if does["undo"]:
        if does["apply"] or does["diff"]:
            raise BadInput("`--undo` goes alone", place="--undo", hint="do one after the other")
        return _undo(tuner, force=does["force"], as_json=as_json)
    if given["in_flight"] is None:
        raise BadInput("Missing option '--in-flight' / '-n'.", hint="see `holdfast tune --help`")
    record = tuner.recorded()
    compared = _compare(app, given, record, user or _login(), has_pam=os.path.isdir(root + PAM))
    if does["apply"]:
        return _apply(tuner, compared, record, yes=does["yes"], as_json=as_json)
    if as_json:
        say.data(tune_json(compared))
    elif does["diff"]:
        show_difference(tuner.pending(compared.files, compared.running))
    else:
        show_tuning(compared, explain=does["explain"])
    return 1 if compared.tuning.changes else 0


def _compare(
    app: str, given: dict[str, object], record: Record | None, user: str, *, has_pam: bool
) -> Compared:
    """The tuning for the options; its files also say what an earlier one changed."""
    found: list[Tuning] = []

    def tuned(demand: Demand, host: Host, layout: Layout) -> Path:
        found.append(sizing.tune(demand, host, layout, read_listeners()))
        return found[0].path

    planned = plan_path(make_options(app, given), tuned)
    tuning = found[0]
    mine = [n for n in tuning.changes if _is_ours(n, has_pam=has_pam)]
    files: dict[str, str] = {}
    if mine:
        together = _together(record, tuple(mine))
        files = sysctl.render(together, tuning.demand.in_flight)
        files |= limits.render(together, tuning.demand.in_flight, user)
    others = tuple(n for n in tuning.changes if n not in mine)
    unit = systemd.render(tuning.changes, tuning.demand.in_flight)
    return Compared(planned, tuning, files, sysctl.running(mine), unit, others)


def _is_ours(need: Need, *, has_pam: bool) -> bool:
    """Whether we may write it: a control group belongs to whoever made it."""
    return need.keeper is Keeper.SYSCTL or (need.keeper is Keeper.LIMIT and has_pam)


def _together(record: Record | None, changes: tuple[Need, ...]) -> tuple[Need, ...]:
    """What an earlier run changed and what this one does: a file holds both."""
    earlier = () if record is None else record.needs
    return tuple({need.setting: need for need in (*earlier, *changes)}.values())


def _apply(
    tuner: Tuner, compared: Compared, record: Record | None, *, yes: bool, as_json: bool
) -> int:
    pending = tuner.pending(compared.files, compared.running)
    if not as_json:
        show_tuning(compared)
    if pending:
        tuner.check(pending)
        if not as_json:
            say.text()
            show_difference(pending)
        _confirm(yes=yes)
        ours = tuple(n for n in compared.tuning.changes if n not in compared.others)
        tuner.apply(pending, _together(record, ours))
    if as_json:
        say.data({**tune_json(compared), "applied": _named(pending)})
    else:
        _say_applied(pending, compared)
    return 1 if compared.others else 0


def _confirm(*, yes: bool) -> None:
    """Ask in a terminal; where nobody can be asked, `--yes` must have been said."""
    if yes:
        return
    if not sys.stdin.isatty():
        hint = "look at `--diff`, then say `--yes`"
        raise BadInput("nobody can be asked here", place="--apply", hint=hint)
    if not click.confirm("Apply this?", err=True):
        raise click.Abort


def _say_applied(pending: Pending, compared: Compared) -> None:
    changes = compared.tuning.changes
    if pending:
        say.say(f"applied: {', '.join(_named(pending))}; `holdfast tune --undo` takes it back")
    elif not compared.others:
        say.say("nothing to do" + (": all of it was applied before" if changes else ""))
    if any(n.keeper is Keeper.LIMIT and n not in compared.others for n in changes):
        say.say("the limits hold from the next login on")
    for need in compared.others:
        say.say(f"left: {need.setting}, by {need.who}")


def _named(pending: Pending) -> list[str]:
    return [*(was.path for was, _ in pending.files), *(was.setting for was, _ in pending.values)]


def _undo(tuner: Tuner, *, force: bool, as_json: bool) -> int:
    """Exit code 0 also where there is nothing to undo: the machine is as it was."""
    record = tuner.undo(force=force)
    names: list[str] = []
    if record is not None:
        names += [was.path for was in record.files] + [was.setting for was in record.values]
    if as_json:
        say.data({"version": 1, "undone": names})
    else:
        say.say(f"undone: {', '.join(names)}" if names else "there is nothing to undo")
    return 0


def _login() -> str:
    """Who runs this, before sudo."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "*"
