"""What the names of a server's configuration file say of it, whatever the file is written in.

Knows no program: each hands in its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from holdfast.model.values import Source, Value
from holdfast.readers.argv import Option, Settings
from holdfast.readers.contract import Amount, Fault, Problems, Processes
from holdfast.readers.pyresults import Known, Result, Unknown
from holdfast.readers.said import Said
from holdfast.readers.text import written

Rows = Mapping[str, tuple[str, Amount]]
"""Names of a configuration file: where each lands and how it is read."""


class Assigned:
    """A server while it is read: what was said of it, and its number of workers."""

    def __init__(self, problems: Problems) -> None:
        self.settings = Settings(problems)
        self.processes: Processes | None = None
        self.files: list[str] = []

    def take(self, names: Mapping[str, Result], rows: Rows, *, cut: bool) -> None:
        """Take names that a file assigns: they replace what was said before.

        `cut`: the program cuts a fraction off a number.
        """
        for name, (lands, amount) in rows.items():
            if name in names:
                self._assigned(name, lands, amount, names[name], cut=cut)
        if "bind" in names:
            self._bound(names["bind"])

    def addresses(self, said: Said) -> list[Said]:
        """The addresses that one text of `bind` names."""
        return [said]

    def _assigned(
        self, name: str, lands: str, amount: Amount, result: Result, *, cut: bool
    ) -> None:
        problems = self.settings.problems
        if isinstance(result, Unknown):
            message = f"`{name}` {result.why}"
            problems.add(Fault.UNKNOWN_VALUE, message, result.said.place)
            if lands == "workers":
                one = Value(lands, 1, Source.ASSUMED, message, result.said.place)
                self.processes = Processes(0, 1, one)
            return
        if result.unless:
            message = f"`{name}` is this unless the variable `{result.unless}` is set"
            problems.add(Fault.UNKNOWN_VALUE, message, result.said.place)
        if result.a_core:
            self._by_cores(name, lands, result)
            return
        if result.value is None:
            return  # None leaves it at its default
        plain = result.value
        if cut and isinstance(plain, float) and math.isfinite(plain):
            plain = int(plain)
        said = Said(result.said.text, str(plain), None, result.said.span)
        self.settings.land(Option((name,), lands, amount), said)
        if lands == "workers":
            self.processes = None

    def _by_cores(self, name: str, lands: str, result: Known) -> None:
        """A number that grows with the cores; only that of workers can be followed."""
        where = result.said.place
        shown = " ".join(result.said.chars.split())
        if lands != "workers" or not isinstance(result.value, int | float):
            message = f"`{name}` depends on the machine's cores"
            self.settings.problems.add(Fault.UNKNOWN_VALUE, message, where)
            return
        value = written(lands, shown, result.said.line, where)
        self.settings.values.pop(lands, None)
        self.settings.values[lands] = value
        self.processes = Processes(result.a_core, result.value, value)

    def _bound(self, result: Result) -> None:
        """The addresses of `bind`: one text, or a list of them."""
        items = (
            result.items if isinstance(result, Known) and result.items is not None else (result,)
        )
        self.settings.many["bind"] = []
        for item in items:
            if isinstance(item, Unknown) or not isinstance(item.value, str):
                why = item.why if isinstance(item, Unknown) else "is no address"
                message = f"`bind` {why}"
                self.settings.problems.add(Fault.UNKNOWN_VALUE, message, item.said.place)
            else:
                said = item.said
                if said.chars != item.value:
                    said = Said(said.text, item.value, None, said.span)
                self.settings.many["bind"] += self.addresses(said)
