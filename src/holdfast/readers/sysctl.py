"""sysctl.conf and sysctl.d: the values that a host is left with, in systemd's order. No disk.

sysctl.d(5): files go by their names whatever their folder; a name in /etc hides the same one in
/run and /usr/lib; later lines win. /etc/sysctl.conf comes last where procps reads it.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable

from holdfast.model.values import Value
from holdfast.readers.contract import Amount, Fault, Problems, Read, Reader
from holdfast.readers.said import Said
from holdfast.readers.text import Files, Text, Word, written

FOLDERS = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d")
"""Where the same file name is taken from first."""
_TREE = re.compile(r"(?:^|/)((?:etc|run|usr/lib|usr/local/lib)/sysctl(?:\.d/|\.conf$))")
_LINE = re.compile(r"[ \t]*(-?)[ \t]*([^\s=#;][^=\n]*?)[ \t]*=[ \t]*([^\n]*?)[ \t\r]*$")


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("is no whole number") from None


def ports(text: str) -> str:
    """A list of ports and spans of them, as the kernel takes it: 22,8000-8003."""
    spans = [span.partition("-") for span in text.split(",")] if text else []
    for first, dash, last in spans:
        ends = (first, last) if dash else (first,)
        if not all(end.isascii() and end.isdigit() and int(end) <= 65_535 for end in ends):
            raise ValueError("is no list of ports such as `22,8000-8003`")
    return text


LANDS: dict[str, tuple[str, ...]] = {
    "net.core.somaxconn": ("somaxconn",),
    "net.ipv4.tcp_max_syn_backlog": ("tcp_max_syn_backlog",),
    "net.ipv4.tcp_syncookies": ("syncookies",),
    "net.ipv4.ip_local_port_range": ("port_low", "port_high"),
    "net.ipv4.tcp_max_tw_buckets": ("tw_buckets",),
    "net.ipv4.tcp_tw_reuse": ("tw_reuse",),
    "net.ipv4.tcp_fin_timeout": ("fin_timeout_s",),
    "net.ipv4.tcp_migrate_req": ("tcp_migrate_req",),
    "net.core.netdev_max_backlog": ("netdev_max_backlog",),
    "net.netfilter.nf_conntrack_max": ("conntrack_max",),
    "net.nf_conntrack_max": ("conntrack_max",),
    "fs.file-max": ("file_max",),
    "fs.nr_open": ("nr_open",),
    "kernel.pid_max": ("pid_max",),
    "kernel.threads-max": ("threads_max",),
    "vm.max_map_count": ("max_map_count",),
    "net.ipv4.tcp_mem": ("tcp_mem_low_pages", "tcp_mem_pressure_pages", "tcp_mem_pages"),
}
"""Sysctls that the model knows, by the names that `observe` gives their values."""
TEXTS: dict[str, str] = {"net.ipv4.ip_local_reserved_ports": "reserved_ports"}
"""Those whose value stays text: a list of ports."""


def dotted(name: str) -> str:
    """The name with dots, as kernels' documents have it: of net/ipv4/x and of net.ipv4.x.

    The first separator decides, so that net/ipv4/conf/eth0.1/x keeps its dot as a slash.
    """
    first = re.search(r"[./]", name)
    if first is None or first[0] == ".":
        return name
    return name.translate(str.maketrans("./", "/."))


def read(text: Text, files: Files) -> Read:
    """A file of sysctls; where it lies in a tree of them, all that systemd would read.

    Of a setting that several lines give, every value is kept, in their order: the last one counts.
    """
    problems, unread = Problems(), list[Word]()
    found: list[Value] = []
    names = ordered(text.name, files)
    for name in names:
        data = text.said if name == text.name else files.read(name)
        each = text if name == text.name else Text(name, data or "")
        _take(each, found, unread, problems)
    return Read(
        host=tuple(found),
        problems=tuple(problems.found),
        unread=tuple(unread),
        files=(text.name, *(name for name in names if name != text.name)),
    )


def ordered(name: str, files: Files) -> list[str]:
    """The files that are read with one of a tree, in their order; without a tree, it alone."""
    root = f"{files.root.rstrip('/')}/" if files.root else ""
    mark = _TREE.search(root + name)
    if mark is None:
        return [name]
    top = (root + name)[: mark.start(1)]
    taken: dict[str, str] = {}
    for folder in (f"{top}{each}" for each in FOLDERS):
        if folder.startswith(root):
            for each in files.glob(f"{folder.removeprefix(root)}/*.conf"):
                taken.setdefault(posixpath.basename(each), each)
    order = [taken[base] for base in sorted(taken)]
    conf = f"{top}etc/sysctl.conf".removeprefix(root)
    if files.read(conf) is not None and "99-sysctl.conf" not in taken:
        order.append(conf)
    return order if name in order else [*order, name] if name == conf else [name]


def _take(text: Text, found: list[Value], unread: list[Word], problems: Problems) -> None:
    """Note each line of a file; a pattern says nothing of what is also named plainly."""
    start = 0
    for line in text.said.splitlines(keepends=True):
        said = Said.of(text, start, start + len(line.rstrip("\r\n")))
        start += len(line)
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        parts = _LINE.match(said.chars)
        if parts is None:
            if not bare.startswith("-"):
                problems.add(Fault.SYNTAX, f"`{bare[:60]}` is no assignment", said.stripped().place)
            continue
        value = said.cut(parts.start(3), parts.end(3))
        name = said.cut(parts.start(2), parts.end(2))
        if not land(name.chars, value, found, problems):
            unread.append(name.word)


def land(name: str, value: Said, found: list[Value], problems: Problems) -> bool:
    """Note an assignment in `found`; False where nothing is known of the sysctl."""
    names = _names(dotted(name))
    for full in names:
        _land(full, value, found, problems)
    return bool(names)


def _names(name: str) -> list[str]:
    """The sysctls that a name or a pattern means, of those that are known."""
    known = [*LANDS, *TEXTS]
    if name in LANDS or name in TEXTS:
        return [name]
    return fnmatch.filter(known, name) if set(name) & set("*?[") else []


def _land(name: str, value: Said, found: list[Value], problems: Problems) -> None:
    if name in TEXTS:
        _landed(found, TEXTS[name], value, ports, name, problems)
        return
    words = list(re.finditer(r"\S+", value.chars))
    lands = LANDS[name]
    if len(words) != len(lands):
        message = f"`{name}` takes {len(lands)} numbers, not `{value.chars}`"
        problems.add(Fault.ARGUMENT, message, value.place)
        return
    for setting, word in zip(lands, words, strict=True):
        part = value.cut(word.start(), word.end())
        _landed(found, setting, part, whole, name, problems)


def _landed(
    found: list[Value], setting: str, said: Said, amount: Amount, name: str, problems: Problems
) -> None:
    try:
        found.append(written(setting, amount(said.chars), said.line, said.place))
    except ValueError as wrong:
        problems.add(Fault.ARGUMENT, f"`{name} = {said.chars}` {wrong}", said.place)


def known_lines(lines: Iterable[str]) -> int:
    """How many of the lines assign a sysctl of a kernel's own rooms."""
    heads = ("net.", "net/", "fs.", "fs/", "kernel.", "kernel/", "vm.", "vm/")
    return sum(line.lstrip(" \t-").startswith(heads) and "=" in line for line in lines)


def recognises(text: Text) -> bool:
    """By its name or folder, or a line that assigns a sysctl, where nothing else stands."""
    base, folder = posixpath.basename(text.name), posixpath.dirname(text.name)
    if not base.endswith(".conf"):  # as sysctl(8) takes from sysctl.d, where a README stands, too
        return base == "sysctl"
    if base == "sysctl.conf" or posixpath.basename(folder) == "sysctl.d":
        return True
    said = [line for line in text.said.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    return bool(said) and known_lines(said) == len(said)


READER = Reader("sysctl", recognises, read)
