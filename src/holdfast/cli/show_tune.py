"""A compared machine as people and programs read it: table, reasons, difference, JSON."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from holdfast.cli import say
from holdfast.cli.context import Planned
from holdfast.model.tuning import Keeper, Need, Standing, Tuning
from holdfast.model.units import format_bytes, format_count, format_seconds
from holdfast.model.values import Value
from holdfast.stack.tuning import Pending


class Compared(msgspec.Struct, frozen=True):
    """A tuning, the plan that it was made for, and the files and values that would carry it out."""

    planned: Planned
    tuning: Tuning
    files: dict[str, str]
    running: dict[str, str]
    unit: str
    others: tuple[Need, ...]

    @property
    def narrower(self) -> Planned | None:
        """The plan that works without any change, None where nothing does."""
        path = self.tuning.narrower
        if path is None:
            return None
        options = msgspec.structs.replace(self.planned.options, in_flight=self.tuning.fits)
        demand = msgspec.structs.replace(self.tuning.demand, in_flight=self.tuning.fits)
        return msgspec.structs.replace(self.planned, options=options, demand=demand, path=path)


def tune_json(compared: Compared) -> dict[str, Any]:
    """Every row with its standing, the changes' files and values, and the narrower plan."""
    tuning, narrower = compared.tuning, compared.narrower
    return {
        "version": 1,
        "asked": tuning.demand.in_flight,
        "burst": tuning.demand.burst,
        "mean_time_s": compared.planned.mean_time.number,
        "notes": compared.planned.options.said,
        "changes": [need.setting for need in tuning.changes],
        "needs": [_need_json(need) for need in tuning.needs],
        "files": compared.files,
        "running": compared.running,
        "unit": compared.unit,
        "by_others": [need.setting for need in compared.others],
        "fits": tuning.fits,
        "narrower": None
        if narrower is None
        else {
            "in_flight": tuning.fits,
            "workers": narrower.path.hop("workers").processes,
            "memory_bytes": narrower.memory_bytes,
        },
    }


def _need_json(need: Need) -> dict[str, Any]:
    def value(of: Value | None) -> Any:
        return None if of is None or of.value == float("inf") else of.value

    return {
        "setting": need.setting,
        "keeper": need.keeper.value,
        "standing": need.standing.value,
        "now": value(need.now),
        "now_from": need.now.why,
        "wanted": value(need.wanted),
        "why": need.why if need.wanted is None else need.wanted.why,
        "who": need.who,
    }


STANDINGS = {
    Standing.ENOUGH: "enough",
    Standing.CHANGE: "> change",
    Standing.UNKNOWN: "? not known",
}
"""As short as a column allows: `? not known` is what cannot be known here."""


def show_tuning(compared: Compared, *, explain: bool = False) -> None:
    """What stands where, why it must change and who does it, and what holds without."""
    tuning = compared.tuning
    _show_title(compared)
    rows = [
        (
            need.setting,
            _shown(need, need.now),
            "" if need.wanted is None else _shown(need, need.wanted),
            STANDINGS[need.standing],
        )
        for need in tuning.needs
    ]
    columns = (("setting", False), ("now", True), ("wanted", True), ("", False))
    say.table(columns, rows)
    for need in tuning.needs:
        if explain or need.standing is not Standing.ENOUGH or " workers; " in need.why:
            _show_reason(need)
    _show_unit(compared)
    _show_narrower(compared)


def _show_title(compared: Compared) -> None:
    tuning, many = compared.tuning, len(compared.tuning.changes)
    head = f"{tuning.demand.in_flight:,} requests in flight: "
    needed = f"{many} change{'s' if many > 1 else ''} of this machine"
    say.text(f"{head}{needed if many else 'this machine is enough'}", style="bold")
    mean = format_seconds(compared.planned.mean_time.number)
    say.item("  ", f"mean time {mean} ({compared.planned.mean_time.why})")
    for note in compared.planned.options.said:
        say.item("  note: ", note)
    rate, burst = tuning.demand.rate, tuning.demand.burst
    say.item("  ", f"so {rate:,.0f} answers a second, and bursts of {burst:,} within 1 s")
    say.text()


def _show_reason(need: Need) -> None:
    """Why a setting must change, is enough or is not known, and who can change it."""
    say.text()
    why = need.why if need.wanted is None else need.wanted.why
    say.item(f"{need.setting}: ", why)
    if need.wanted is not None:
        say.item("  by ", need.who)


def _show_unit(compared: Compared) -> None:
    if compared.unit:
        say.text()
        say.text("for a service, in SERVICE.service.d/90-holdfast.conf (shown, never written):")
        for line in compared.unit.splitlines():
            say.text(f"  {line}")


def _show_narrower(compared: Compared) -> None:
    tuning, narrower = compared.tuning, compared.narrower
    say.text()
    if narrower is None:
        say.text("> without any change nothing is held")
        return
    workers = narrower.path.hop("workers").processes
    many = "1 worker" if workers == 1 else f"{workers} workers"
    takes = f"{many}, {format_bytes(narrower.memory_bytes)}"
    held = f"{tuning.fits:,} in flight are held"
    say.item("> without any change ", f"{held} by {takes}")


def _shown(need: Need, value: Value) -> str:
    number = value.value
    if number is None:
        return "?"
    if isinstance(number, str):
        return number or "none"
    if need.setting == "memory.max" and number != float("inf"):
        return format_bytes(number)
    return f"{number:g}" if need.keeper is Keeper.CGROUP and number < 100 else format_count(number)


def show_difference(pending: Pending) -> None:
    """What applying would change: files as a unified difference, running values as a table."""
    for was, text in pending.files:
        before = "" if was.text is None else was.text.decode(errors="replace")
        lines = difflib.unified_diff(
            before.splitlines(),
            text.decode().splitlines(),
            "/dev/null" if was.text is None else was.path,
            was.path,
            lineterm="",
        )
        for line in lines:
            say.text(line)
    if pending.values:
        say.text()
        columns = (("running value", False), ("now", True), ("then", True))
        say.table(columns, [(was.setting, was.value, value) for was, value in pending.values])
