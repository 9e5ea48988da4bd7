"""A systemd unit that runs a whole stack by `holdfast up`, each line below why it is so.

Touches no disk, and knows no formula: the values bring theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from holdfast.model.units import format_bytes
from holdfast.model.values import Value
from holdfast.writers.comments import comment

WATCHDOG_S = 60
"""Longer than a supervisor ever waits for somebody, by far."""
_PLAIN = re.compile(r"[\w@+=:,./%$-]+")
_LOWEST_PORT = 1_024


class Unit(msgspec.Struct, frozen=True):
    """What is started: `command` runs `holdfast`, `words` are those of its `up`, in `folder`.

    `user` is who runs it, "" for one that systemd makes up. `ports` are those that it listens on.
    `values` are `nofile`, `pids_max` and `stop_s`; `memory_bytes` is what the plan takes in all.
    """

    name: str
    app: str
    in_flight: int
    command: tuple[str, ...]
    words: tuple[str, ...]
    folder: str
    user: str
    ports: tuple[int, ...]
    values: tuple[Value, ...]
    memory_bytes: int

    @property
    def file(self) -> str:
        """What the unit's file is called."""
        return f"{self.name}.service"


def render(unit: Unit) -> dict[str, str]:
    """The unit by the name of its file; the same text each time."""
    command = " ".join(map(quoted, unit.command))
    run_dir = f"%t/{unit.name}"
    words = " ".join((*map(quoted, unit.words), "--run-dir", run_dir))
    sections = (
        _opening(unit),
        _section("Unit", _ordering(unit)),
        _section("Service", _started(unit, f"{command} up {words}", f"{command} reload {run_dir}")),
        "".join(_lines(_stopped(unit))),
        "".join(_lines(_granted(unit))),
        "".join(_lines(_confined(unit))),
        _section("Install", (("", "WantedBy=multi-user.target"),)),
    )
    return {unit.file: "\n".join(sections)}


def quoted(word: str) -> str:
    """One word of a command line as systemd.service(5) reads it: no `%` and no `$` is replaced."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


Row = tuple[str, str]
"""Why a line is there, and the line."""


def _section(name: str, rows: Iterator[Row] | tuple[Row, ...]) -> str:
    return f"[{name}]\n{''.join(_lines(rows))}"


def _lines(rows: Iterator[Row] | tuple[Row, ...]) -> Iterator[str]:
    for why, line in rows:
        yield f"{comment(why)}{line}\n" if line else comment(why)


def _opening(unit: Unit) -> str:
    who = f"Written by `holdfast up --print-unit`, for {unit.in_flight:,} requests in flight."
    where = f"Keep it as /etc/systemd/system/{unit.file}, then: systemctl daemon-reload"
    return comment(who) + comment(where)


def _ordering(unit: Unit) -> Iterator[Row]:
    yield "", f"Description={unit.app.replace('%', '%%')}, {unit.in_flight:,} requests in flight"
    yield "", "Wants=network-online.target"
    yield "", "After=network-online.target"


def _started(unit: Unit, start: str, reload: str) -> Iterator[Row]:
    yield (
        "Started is who answers: workers and edge. (With systemd 253 or newer, Type=notify-reload "
        "in place of ExecReload= does as well: HUP is a reload.)",
        "Type=notify",
    )
    yield "", f"WorkingDirectory={unit.folder.replace('%', '%%')}"
    yield "", f"ExecStart={start}"
    yield "Waits for the end, and fails where the old code goes on serving.", f"ExecReload={reload}"
    yield (
        f"Its folder is /run/{unit.name}: sockets, logs (up to 32 MiB of memory a worker), and "
        "what `holdfast status`, `logs` and the others take in place of a port.",
        f"RuntimeDirectory={unit.name}",
    )
    yield "", "RuntimeDirectoryMode=0700"
    yield "What was printed before a restart stays.", "RuntimeDirectoryPreserve=restart"
    yield "What ends by itself is started again; 2 says that nothing else can come of it.", ""
    yield "", "Restart=on-failure"
    yield "", "RestartSec=1"
    yield "", "RestartPreventExitStatus=2"
    yield (
        "A supervisor that hangs is ended, and all that it started with it.",
        f"WatchdogSec={WATCHDOG_S}",
    )


def _stopped(unit: Unit) -> Iterator[Row]:
    yield (
        "TERM is for the supervisor alone, which drains edge and workers in their order; what is "
        "left in the end is killed.",
        "KillMode=mixed",
    )
    stop = _value(unit, "stop_s")
    yield stop.why, f"TimeoutStopSec={stop.number:g}"
    yield (
        "A worker that the kernel kills for memory is replaced; the others go on.",
        "OOMPolicy=continue",
    )


def _granted(unit: Unit) -> Iterator[Row]:
    nofile, tasks = _value(unit, "nofile"), _value(unit, "pids_max")
    yield nofile.why, f"LimitNOFILE={nofile.number:.0f}"
    yield tasks.why, f"TasksMax={tasks.number:.0f}"
    yield (
        f"No MemoryMax=: the plan takes {format_bytes(unit.memory_bytes)}, and where an app takes "
        "more than was measured, a limit kills a worker with all that it holds.",
        "",
    )


def _confined(unit: Unit) -> Iterator[Row]:
    if unit.user:
        yield "Nobody may write to the system; the app writes where its user may.", ""
        yield "", f"User={unit.user}"
        yield "", "ProtectSystem=full"
        yield "", "NoNewPrivileges=yes"
        yield "", "RestrictSUIDSGID=yes"
    else:
        yield (
            "A user of its own, who must be able to read the app and this Python, and writes to "
            "nothing but the folder above: what the app keeps needs StateDirectory= or a User=.",
            "DynamicUser=yes",
        )
    lowest = min(filter(None, unit.ports), default=_LOWEST_PORT)
    if lowest < _LOWEST_PORT:
        yield f"Port {lowest} is root's.", "AmbientCapabilities=CAP_NET_BIND_SERVICE"
        yield "", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"
    else:
        yield "", "CapabilityBoundingSet="
    yield (
        "Netlink is how the kernel is asked for the backlogs of sockets.",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    )
    for name in ("KernelTunables", "KernelModules", "KernelLogs", "ControlGroups", "Clock"):
        yield "", f"Protect{name}=yes"
    yield "", "PrivateDevices=yes"
    yield "", "LockPersonality=yes"
    yield "", "RestrictRealtime=yes"


def _value(unit: Unit, setting: str) -> Value:
    return next(value for value in unit.values if value.setting == setting)
