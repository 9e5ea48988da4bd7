"""limits.conf and limits.d: what PAM gives a login, which does nothing for a service. No disk.

limits.conf(5): `<domain> <type> <item> <value>`; `-` is both soft and hard; a user's own line goes
before a group's, and that before `*`; files of limits.d come after limits.conf, in their order.
"""

from __future__ import annotations

import math
import posixpath
import re

from holdfast.model.values import Scalar
from holdfast.readers.contract import Around, Fault, Problems, Read, Reader
from holdfast.readers.said import Said
from holdfast.readers.text import Files, Text, Word, written

LANDS = {"nofile": "nofile", "nproc": "nproc", "memlock": "memlock_kib", "stack": "stack_kib"}
ITEMS = frozenset(
    {
        *("core", "data", "fsize", "memlock", "nofile", "rss", "stack", "cpu", "nproc", "as"),
        *("maxlogins", "maxsyslogins", "priority", "locks", "sigpending", "msgqueue", "nice"),
        *("rtprio", "chroot", "nonewprivs"),
    }
)
TYPES = {"soft": ("",), "hard": ("_hard",), "-": ("", "_hard")}
"""Where a type lands: the setting itself is the soft limit, `_hard` behind it the hard one."""


def amount(text: str) -> Scalar:
    """A whole number; -1, unlimited and infinity are no limit."""
    if text in ("-1", "unlimited", "infinity"):
        return math.inf
    if not text.isascii() or not text.isdigit():
        raise ValueError("is neither a number nor `unlimited`")
    return int(text)


def read(text: Text, files: Files) -> Read:
    """A file of limits; of limits.conf, with the files of limits.d beside it."""
    problems, unread, names = Problems(), list[Word](), [text.name]
    domains: dict[str, dict[str, tuple[Said, Scalar]]] = {}
    _take(text, domains, problems, unread)
    if posixpath.basename(text.name) == "limits.conf":
        folder = posixpath.join(posixpath.dirname(text.name), "limits.d")
        for name in files.glob(f"{folder}/*.conf"):
            names.append(name)
            _take(Text(name, files.read(name) or ""), domains, problems, unread)
    return Read(
        around=tuple(
            Around(
                f"login of {domain}",
                "",
                tuple(
                    written(setting, value, said.line, said.place)
                    for setting, (said, value) in settings.items()
                ),
            )
            for domain, settings in domains.items()
        ),
        problems=tuple(problems.found),
        unread=tuple(unread),
        files=tuple(names),
    )


def _take(
    text: Text,
    domains: dict[str, dict[str, tuple[Said, Scalar]]],
    problems: Problems,
    unread: list[Word],
) -> None:
    start = 0
    for line in text.said.splitlines(keepends=True):
        said = Said.of(text, start, start + len(line))
        start += len(line)
        bare = line.partition("#")[0]
        parts = [said.cut(found.start(), found.end()) for found in re.finditer(r"\S+", bare)]
        if not parts or (len(parts) == 2 and parts[1].chars == "-"):
            continue
        if len(parts) != 4 or parts[1].chars not in TYPES or parts[2].chars not in ITEMS:
            message = f"`{bare.strip()[:60]}` is no <domain> <type> <item> <value>"
            hint = "see limits.conf(5): the type is soft, hard or -"
            problems.add(Fault.SYNTAX, message, said.stripped().place, hint)
            continue
        domain, kind, item, value = parts
        if item.chars not in LANDS:
            unread.append(item.word)
            continue
        try:
            number = amount(value.chars)
        except ValueError as wrong:
            problems.add(Fault.ARGUMENT, f"`{item.chars} {value.chars}` {wrong}", value.place)
            continue
        for ending in TYPES[kind.chars]:
            setting = LANDS[item.chars] + ending
            domains.setdefault(domain.chars, {})[setting] = (value, number)


def recognises(text: Text) -> bool:
    """By its name or folder."""
    base, folder = posixpath.basename(text.name), posixpath.dirname(text.name)
    in_folder = posixpath.basename(folder) == "limits.d" and base.endswith(".conf")
    return base in ("limits.conf", "limits") or in_folder


READER = Reader("limits", recognises, read)
