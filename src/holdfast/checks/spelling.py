"""How a program writes a setting of ours: the line, and the text of its value. Knows no law."""

from __future__ import annotations

import math

from holdfast.model.path import Hop
from holdfast.model.tuning import Keeper
from holdfast.model.values import Place, Scalar, Value
from holdfast.programs.tunables import TUNABLES

SYSCTLS = {row.value: row.setting for row in TUNABLES if row.keeper is Keeper.SYSCTL}
"""The kernel's names of what a host allows."""
OWN = {
    ("gunicorn", "keep_alive_s"): "keepalive",
    ("gunicorn", "grace_s"): "graceful_timeout",
    ("uvicorn", "keep_alive_s"): "timeout_keep_alive",
    ("uvicorn", "grace_s"): "timeout_graceful_shutdown",
}
"""What one program calls a setting that several have."""
NAMES = {
    "limit_conn_per_address": "limit_conn",
    "frontend_maxconn": "maxconn",
    "server_maxconn": "maxconn",
    "server_pool_max_conn": "pool-max-conn",
    "ulimit_n": "ulimit-n",
    "upstream_keepalive_timeout_s": "keepalive_timeout",
    "tune_h2_max_concurrent_streams": "tune.h2.max-concurrent-streams",
    "tune_bufsize": "tune.bufsize",
    "nofile_hard": "nofile",
    "proxy_header_connection": "proxy_set_header Connection",
}
"""Names that are not the setting's own, less its unit."""
UNIT = {"nofile": "LimitNOFILE", "stop_s": "TimeoutStopSec", "pids_max": "TasksMax"}
"""What a systemd unit calls what it gives to the program that it starts."""
CONTAINER = "container"
"""A hop's value: what describes the container that it is in."""
CONTAINED = {
    "compose": {"nofile": "ulimits: {{nofile: {0}}}", "pids_max": "pids_limit: {0}"},
    "image": {"nofile": "--ulimit nofile={0}", "pids_max": "--pids-limit {0}"},
}
"""How what a container gives to its program is said: in its service, to `docker run`."""
FLAGS = frozenset({"uvicorn", "hypercorn", "granian"})
"""Programs that are told by words of a command line."""


def amount(program: str, setting: str, value: Scalar) -> str:
    """The value as the program reads it: 19500, 75s, on."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value
    text = f"{math.ceil(value)}" if value >= 1 else f"{value:g}"
    if setting.endswith("buffer_size") and value % 1024 == 0:
        return f"{value // 1024:.0f}k"
    timed = setting == "stop_s" or (setting.endswith("_s") and program in {"nginx", "haproxy"})
    return f"{text}s" if timed else text


def name(program: str, setting: str) -> str:
    """What the program, or the kernel, calls the setting."""
    if program in {"", "kernel"} and setting in SYSCTLS:
        return SYSCTLS[setting]
    bare = OWN.get((program, setting)) or NAMES.get(setting, setting.removesuffix("_s"))
    if program == "haproxy" and bare.startswith("timeout_"):
        kind = bare.removeprefix("timeout_").replace("_", "-")
        return f"timeout {kind}"
    return f"--{bare.replace('_', '-')}" if program in FLAGS and bare != "nofile" else bare


def line(program: str, value: Value, container: str = "") -> str:
    """The whole line, or words of a command line, that give the setting this value.

    `container` is what describes the one that the program is in, if it is in one.
    """
    assert value.value is not None
    said, text = name(program, value.setting), amount(program, value.setting, value.value)
    if said in CONTAINED.get(container, {}):
        return CONTAINED[container][said].format(text)
    if said == "nofile" or value.setting in UNIT:
        return f"{UNIT.get(value.setting, UNIT['nofile'])}={text}"
    if program in {"", "kernel"}:
        return f"{said} = {text}"
    if program == "nginx":
        return f"backlog={text}" if said == "backlog" else f"{said} {text};"
    if program == "gunicorn":
        return f"{said} = {text}"
    return f"{said} {text}"


ANCHORS: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("nginx", "worker_rlimit_nofile"): (("worker_processes",), ";\n{line}"),
    ("nginx", "backlog"): (("port",), " {line}"),
    ("haproxy", "maxconn"): (("nbthread", "ulimit_n"), "\n    {line}"),
    ("gunicorn", "backlog"): (("workers", "threads", "worker_connections"), "\n{line}"),
    ("gunicorn", "threads"): (("workers",), "\n{line}"),
    ("gunicorn", "worker_connections"): (("workers", "threads"), "\n{line}"),
    ("gunicorn", "timeout_s"): (("workers", "threads"), "\n{line}"),
    ("gunicorn", "grace_s"): (("timeout_s", "workers"), "\n{line}"),
    ("gunicorn", "keep_alive_s"): (("timeout_s", "workers"), "\n{line}"),
}
"""Where a line that is not there yet goes: behind a value of the same block, and how."""
STARTED = "unit"
"""A hop's value whose place is the line of a unit that starts it: behind it stand its limits."""
WORDS = (".service", ".sh", "Procfile")
"""How the names of files end in which a command is written as a shell reads it."""
OPTIONS = {"keepalive": "keep-alive"}
"""Options of gunicorn's command that are not the setting's name."""
INSTEAD = {("gunicorn", "workers"): "threads"}
"""What serves more requests at less cost than more of a resource: a thread is no process."""
RAISES_OWN = {"nginx": "worker_rlimit_nofile"}
"""What a program that starts as root raises its own descriptors by."""


def insertion(hop: Hop, setting: str, said: str) -> tuple[Place, str] | None:
    """The place behind which the line of `setting` may stand, and the text to put there.

    None where no value is written that it could follow. Behind an option of gunicorn's command
    stand words; behind what a variable or a list says stands nothing.
    """
    started = hop.get(STARTED)
    if setting in UNIT and started is not None and started.place is not None:
        return started.place, f"\n{said}"
    anchors, text = ANCHORS.get((hop.program, setting), ((), ""))
    for anchor in anchors:
        found = hop.get(anchor)
        if found is None or found.place is None:
            continue
        if hop.program == "gunicorn" and not _is_python(found):
            if _is_option(found):
                called, _, amount_said = said.partition(" = ")
                option = OPTIONS.get(called, called.replace("_", "-"))
                return found.place, f" --{option} {amount_said}"
            continue
        ended = said.removesuffix(";") if hop.program == "nginx" else said
        return found.place, text.format(line=ended)
    return None


def _is_python(value: Value) -> bool:
    """Whether the value is a line of gunicorn's file by itself."""
    assert value.place is not None
    return value.place.file.endswith(".py") and not isinstance(value.value, str)


def _is_option(value: Value) -> bool:
    """Whether the value is the word behind an option of a command that a shell would read."""
    assert value.place is not None
    option = f"--{value.setting.replace('_', '-')}"
    names = (option, f"-{value.setting[0]} ")
    said = value.why
    return value.place.file.endswith(WORDS) and any(n in said for n in names) and '"' not in said
