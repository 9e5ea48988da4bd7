"""What each file of a tree says, by the reader that knows it; parts go to their main file."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from holdfast.facts.hosts import Packages
from holdfast.model.errors import BadInput
from holdfast.observe.tree import Tree
from holdfast.readers import nginx
from holdfast.readers.catalog import recognised
from holdfast.readers.contract import Read
from holdfast.readers.nginx_parts import Including, granted, stands_in_http
from holdfast.readers.text import Text

MOST_NAMES = 3
MAIN = "nginx.conf of the distribution"
"""What a main file that nobody gave is called; no file of a tree, as it is taken from no disk."""


class Files(msgspec.Struct):
    """What was read, what was taken for granted meanwhile, and what belongs to nothing."""

    reads: list[Read] = []
    granted: list[str] = []
    unjoined: list[str] = []


class _Main(msgspec.Struct, frozen=True):
    """A main file of nginx: where its read is, and its pattern that matched no file ("": none)."""

    index: int
    text: Text
    pattern: str


def read_all(tree: Tree, packages: Packages) -> Files:
    """What each file says that a reader knows, but for those that another one took in.

    A site that nobody includes is taken to be included by the main file beside it that names files
    which were not given; where there is no main file at all, by the distribution's. A file that is
    linked to, as sites-enabled links to sites-available, is one file. What a command names for its
    configuration is read with the command, and not for itself.
    """
    found = Files()
    taken: set[str] = set()
    parts: dict[str, Text] = {}
    mains: list[_Main] = []
    for name in tree.names:
        data = None if tree.real(name) in taken else tree.read(name)
        if data is None:
            continue
        text = Text(name, data)
        reader = recognised(text)
        if reader is nginx.READER and stands_in_http(text):
            parts[name] = text
            continue
        files = Including(tree)
        try:
            read = None if reader is None else reader.read(text, files)
        except BadInput as wrong:
            tree.left[name] = wrong.fault
            continue
        if read is None:
            continue
        if reader is nginx.READER and read.hops:
            mains.append(_Main(len(found.reads), text, files.pattern))
        taken.update(tree.real(each) for each in (*read.files, name))
        found.reads.append(read)
    left = {tree.real(name): name for name in parts}
    _include(tree, packages, found, mains, [left[real] for real in left if real not in taken])
    named = {tree.real(name) for read in found.reads for name in read.files[1:]}
    found.reads = [r for r in found.reads if not r.files or tree.real(r.files[0]) not in named]
    return found


def _include(
    tree: Tree, packages: Packages, found: Files, mains: Sequence[_Main], parts: Sequence[str]
) -> None:
    """Read the parts that nothing includes with a main file each."""
    if parts and not mains:
        text, files = Text(MAIN, packages.nginx), Including(tree)
        nginx.read(text, files)
        read = nginx.read(text, Including(tree, files.pattern, tuple(parts)))
        found.reads.append(granted(read, MAIN, f"{packages.name}'s nginx.conf"))
        return
    of: dict[int, list[str]] = {}
    for part in parts:
        open_ones = [main for main in mains if main.pattern]
        if not open_ones:
            found.unjoined.append(f"{part}: no nginx.conf that was read includes it")
            continue
        nearest = max(open_ones, key=lambda main: len(_shared(main.text.name, part)))
        of.setdefault(nearest.index, []).append(part)
    for main in mains:
        if main.index in of:
            names = tuple(of[main.index])
            including = Including(tree, main.pattern, names)
            found.reads[main.index] = nginx.read(main.text, including)
            more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
            said = ", ".join(names[:MOST_NAMES]) + more
            found.granted.append(f"{main.text.name} includes {said} by `{main.pattern}`")


def _shared(one: str, other: str) -> str:
    """The folder that both lie in."""
    return os.path.commonpath((os.path.dirname(one), os.path.dirname(other)))
