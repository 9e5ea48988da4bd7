"""Raises this process's own soft limit of descriptors. Changes no kernel setting."""

from __future__ import annotations

import resource
from typing import Final

from holdfast.model.errors import BadInput

ENOUGH: Final = 1 << 20
"""What a soft limit is raised to where the hard one is unlimited."""


def raise_nofile(needed: int) -> int:
    """Raise the soft limit to the hard one, and return it; raises BadInput below `needed`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited and hard < needed:
        raise BadInput(
            f"a worker needs {needed} descriptors, and the hard limit is {hard}",
            place="RLIMIT_NOFILE",
            hint=f"raise it (`ulimit -Hn {needed}`, or LimitNOFILE= in systemd), or use more slots",
        )
    wanted = max(needed, ENOUGH) if hard == unlimited else hard
    if soft == unlimited or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
