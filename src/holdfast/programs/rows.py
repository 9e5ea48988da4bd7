"""A setting is a row: declared once, read by plan, docs and validators. Knows no program."""

from __future__ import annotations

import re

import msgspec

from holdfast.model.limit import Full, Limit, Scope
from holdfast.model.path import Hop, Spread
from holdfast.model.values import Scalar, Source, Value


class Change(msgspec.Struct, frozen=True):
    """A default that a later version changed, and where that is written."""

    since: str
    default: Scalar | None
    read_in: str


class Setting(msgspec.Struct, frozen=True):
    """One knob of a real program.

    `default` is what the program takes when it is unset (`since` which version), until one of
    `changes` (oldest first); `enforced_by` names who makes it hold, and is empty where nobody does.
    """

    name: str
    unit: str
    default: Scalar | None
    since: str
    enforced_by: str
    doc: str
    changes: tuple[Change, ...] = ()

    def default_of(self, version: str) -> Scalar | None:
        """The default of a version such as "1.22.1"; without one, of the first that is known."""
        default = self.default
        for change in self.changes:
            if version and parts(version) >= parts(change.since):
                default = change.default
        return default


def alive(option: str, since: str, whom: str = "client") -> tuple[Setting, ...]:
    """How TCP finds out that a client, or a server, is gone without a word: rows of an `option`.

    The defaults are Linux's (tcp_keepalive_intvl, tcp_keepalive_probes).
    """
    of = "" if whom == "client" else f"{whom}_"
    return tuple(
        Setting(f"{of}keepalive_{name}", unit, default, since, "kernel", f"`{option}`: {doc}")
        for name, unit, default, doc in (
            ("idle_s", "seconds", None, f"silence after which TCP asks a {whom}. Unset, never."),
            ("every_s", "seconds", 75, "between two such questions."),
            ("probes", "questions", 9, f"unanswered ones after which a {whom} is gone."),
        )
    )


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare: "2.6.12-1+deb12u4" is (2, 6, 12)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def effective(hop: Hop, row: Setting) -> Value:
    """The hop's value of a setting, or the program's default with its version as the source."""
    found = hop.get(row.name)
    if found is not None and found.value is not None:
        return found
    why = f"{hop.program} {hop.version or row.since}"
    return Value(row.name, row.default_of(hop.version), Source.DEFAULT, why)


def number(values: Hop, setting: str, otherwise: float = 0.0) -> float:
    """The number of a hop's value, or `otherwise` where it has none."""
    found = values.get(setting)
    return otherwise if found is None or found.value is None else found.number


def counted(
    hop: str,
    resource: str,
    *,
    capacity: float,
    per_request: float,
    full: Full,
    enforcer: str,
    inputs: tuple[Value, ...],
    formula: str,
    scope: Scope = Scope.HOST,
    scopes: int = 1,
    own: float = 0.0,
    per_idle: float = 0.0,
    yields: bool = False,
    onset: float = 1.0,
    spread: Spread = Spread.ONLY,
    together: float = 1.0,
) -> Limit:
    """A limit that counts requests in flight; see `Limit` for the parts."""
    return Limit(
        hop=hop,
        resource=resource,
        scope=scope,
        scopes=scopes,
        bounds="in_flight",
        capacity=capacity,
        own=own,
        per_request=per_request,
        per_idle=per_idle,
        yields=yields,
        onset=onset,
        spread=spread,
        full=full,
        enforcer=enforcer,
        inputs=inputs,
        formula=formula,
        together=together,
    )
