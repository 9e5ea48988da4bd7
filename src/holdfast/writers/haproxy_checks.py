"""How HAProxy asks servers whether they are well: lines of a backend, words of its servers. No I/O.

What is down gets nothing new and keeps what it holds: a server that is only slow still answers it.
"""

from __future__ import annotations

from typing import Final

from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, seconds, value_of

HOST: Final = "localhost"
"""Whom a check asks for: apps that know their own names (`ALLOWED_HOSTS`) mostly know this one."""


def is_checked(hop: Hop) -> bool:
    """Whether the hop's servers are asked."""
    return hop.get("checks") is not None


def lines(hop: Hop, site: Site) -> list[str]:
    """What a check asks, where it does more than connect, and how long it waits."""
    if not is_checked(hop):
        return []
    wait = value_of(hop, "timeout_check_s")
    checks = site.front.checks
    asked = []
    if checks is not None and checks.path:
        asked = [
            "    option httpchk",
            f"    http-check send meth GET uri {checks.path} ver HTTP/1.1 hdr Host {HOST}",
        ]
    return [*asked, *explained(wait.why, f"timeout check {seconds(wait)}")]


def words(hop: Hop) -> str:
    """What a `default-server` line says of checks; "" where there are none."""
    if not is_checked(hop):
        return ""
    inter, fall, rise = (value_of(hop, f"check_{name}") for name in ("inter_s", "fall", "rise"))
    return f" check inter {seconds(inter)} fall {fall.value} rise {rise.value}"


def why(hop: Hop) -> str:
    """The reasons of `words`."""
    if not is_checked(hop):
        return ""
    told = (value_of(hop, f"check_{name}").why for name in ("inter_s", "rise"))
    return "; " + "; ".join((*told, value_of(hop, "checks").why))
