"""HF305: limits of a login are not taken for limits of a service. Knows no file."""

from __future__ import annotations

import math
from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, stated
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.values import Value

CODE = "HF305"
LOGIN = "login_nofile"
"""A host's value: what limits.conf gives to those who log in."""
UNIT = "unit"
"""A hop's value: the systemd unit that starts it."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each service that has no limit of its own while limits.conf has one for logins."""
    for host in subject.path.hosts:
        login = [v for v in host.values if v.setting == LOGIN]
        here = [hop for hop in subject.path.hops if hop.host == host.name]
        units = {str(unit.value): unit for hop in here if (unit := _bare(hop)) is not None}
        if not login or not units:
            continue
        yield finding(
            CODE,
            Severity.WARNING,
            f"limits.conf sets `nofile` for logins, and does nothing for {', '.join(units)}",
            f"set `LimitNOFILE={_most(login)}` in the unit's [Service]",
            *login,
            *units.values(),
            formula="pam_limits runs at a login; systemd starts services without one",
        )


def _bare(hop: Hop) -> Value | None:
    """The unit that starts the hop, where neither it nor the program itself says how many."""
    own = (stated(hop, name) for name in ("nofile", "worker_rlimit_nofile", "ulimit_n"))
    return hop.get(UNIT) if not any(own) else None


def _most(login: list[Value]) -> str:
    most = max(value.number for value in login)
    return "infinity" if math.isinf(most) else f"{most:.0f}"


LAW = Law(
    CODE,
    "limits.conf does nothing for a service",
    Severity.WARNING,
    "/etc/security/limits.conf is read by pam_limits when somebody logs in. What systemd starts "
    "has not logged in: its limit is LimitNOFILE= of its unit, or 1024 (soft) of 524288 (hard).",
    "LimitNOFILE= in the unit, whatever limits.conf says",
    "limits.conf(5); systemd.exec(5), LimitNOFILE=",
    "Write LimitNOFILE= into a drop-in of the unit: systemctl edit NAME.",
    check,
)
