"""The files that running processes name, wherever they lie. Must not know what any file means.

A file is read as far as a bounded walk would: no larger, and nothing but plain files. What a
process calls by a relative name lies where it is or was started: "proc/PID/NAME" means that.
"""

from __future__ import annotations

import os
import re

from holdfast.observe.processes import read_folders
from holdfast.observe.tree import Tree

_OF = re.compile(r"/?proc/(\d+)/(.+)")
_OWN = frozenset({"cmdline", "environ", "limits"})


class Named(Tree):
    """All files by their names relative to "/"; `left` are those that were not read, and why."""

    def __init__(self) -> None:
        self.root = "/"
        self._inside = ["/"]
        self.left: dict[str, str] = {}
        self.names: tuple[str, ...] = ()

    def real(self, name: str) -> str:
        """The path of the file that a name means; one of /proc means what lies where it runs."""
        found = _OF.fullmatch(name)
        if found is None or found[2] in _OWN:
            return os.path.realpath(os.path.join("/", name))
        pid, within = int(found[1]), found[2]
        places = [os.path.join(folder, within) for folder in read_folders(pid)]
        return os.path.realpath(next(filter(os.path.exists, places), places[0]))
