"""HF305: limits of a login are not taken for limits of a service. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import Value

CODE = "HF305"
LOGIN = "login_nofile"
"""A host's value: what limits.conf gives to those who log in."""
UNIT = "unit"
"""A hop's value: the systemd unit that starts it."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each host whose limits.conf is meant for what systemd starts."""
    for host in subject.path.hosts:
        login = [v for v in host.values if v.setting == LOGIN]
        if not login:
            continue
        here = [hop for hop in subject.path.hops if hop.host == host.name]
        units = {hop.name: unit for hop in here if (unit := hop.get(UNIT)) is not None}
        bare = [name for name in units if subject.path.hop(name).get("nofile") is None]
        what = ", ".join(str(value.value) for value in units.values()) or "a service"
        yield finding(
            CODE,
            Severity.WARNING if bare else Severity.NOTE,
            f"limits.conf sets `nofile` for logins, and does nothing for {what}",
            f"set `LimitNOFILE={_most(login)}` in the unit's [Service]",
            *login,
            *units.values(),
            formula="pam_limits runs at a login; systemd starts services without one",
        )


def _most(login: list[Value]) -> str:
    return f"{max(v.number for v in login):.0f}"


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
