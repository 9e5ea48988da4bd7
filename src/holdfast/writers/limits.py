"""Limits of a login as a file of limits.d (PAM), which does nothing for a service. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from holdfast.model.errors import BadInput
from holdfast.model.tuning import Keeper, Need
from holdfast.writers.comments import comment, heading

FOLDER = "/etc/security/limits.d"
FILE = f"{FOLDER}/90-holdfast.conf"
_DOMAIN = re.compile(r"[@%]?[A-Za-z0-9_][A-Za-z0-9_.-]*\$?|\*")
"""A user, @group or * (limits.conf(5))."""


def render(changes: Iterable[Need], in_flight: int, user: str) -> dict[str, str]:
    """{file: text} that gives `user` the limits, soft and hard; empty where none changes.

    `user` may be @group or *, which does not mean root. Raises BadInput for any other text.
    """
    if _DOMAIN.fullmatch(user) is None:
        hint = "name who runs the app, like `www-data`, `@web` or `*`"
        raise BadInput(f"`{user}` is no user of limits.conf", place="--user", hint=hint)
    lines = [
        f"\n{comment(f'{need.wanted.why}; the hard limit was {need.now.value}')}"
        f"{user} soft {need.setting} {need.wanted.value}\n"
        f"{user} hard {need.setting} {need.wanted.value}\n"
        for need in changes
        if need.keeper is Keeper.LIMIT and need.wanted is not None
    ]
    return {FILE: heading(in_flight) + "".join(lines)} if lines else {}
