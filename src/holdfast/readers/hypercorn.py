"""hypercorn's command line, and the file that it names, as a hop. Opens no file, runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.model.errors import BadInput
from holdfast.readers import pyvalues, tomlvalues
from holdfast.readers.address import address
from holdfast.readers.argv import (
    Option,
    Program,
    Settings,
    names,
    read_options,
    same,
    seconds,
    whole,
)
from holdfast.readers.assigned import Assigned, Rows
from holdfast.readers.contract import Fault, Found, Problems
from holdfast.readers.said import Said, looked_for
from holdfast.readers.serving import app, hop, listen
from holdfast.readers.text import Files, Word

FILE: Rows = {
    "workers": ("workers", whole),
    "worker_class": ("worker_class", same),
    "backlog": ("backlog", whole),
    "keep_alive_timeout": ("keep_alive_s", seconds),
    "graceful_timeout": ("grace_s", seconds),
    "read_timeout": ("read_timeout_s", seconds),
    "max_requests": ("max_requests", whole),
    "h2_max_concurrent_streams": ("h2_max_concurrent_streams", whole),
}
"""Names of the configuration file (hypercorn.config.Config)."""
PROGRAM = Program(
    "hypercorn",
    (
        Option(("-w", "--workers"), "workers", whole),
        Option(("-b", "--bind"), "bind", same, many=True),
        Option(("--insecure-bind",), "bind", same, many=True),
        Option(("-k", "--worker-class"), "worker_class", same),
        Option(("--backlog",), "backlog", whole),
        Option(("--keep-alive",), "keep_alive_s", seconds),
        Option(("--graceful-timeout",), "grace_s", seconds),
        Option(("--read-timeout",), "read_timeout_s", seconds),
        Option(("--max-requests",), "max_requests", whole),
        Option(("-c", "--config"), "config", same),
    ),
    flags=names("-h --help -D --daemon --debug --reload"),
    others=names(
        "--access-log --access-logfile --access-logformat --ca-certs --certfile --cert-reqs "
        "--ciphers --error-log --error-logfile --log-file --max-requests-jitter -g --group "
        "--keyfile --keyfile-password --log-config --log-level -p --pid --quic-bind --root-path "
        "--server-name --statsd-host --statsd-prefix -m --umask -u --user --verify-mode "
        "--websocket-ping-interval"
    ),
    shortened=True,
)


def read_command(
    words: Sequence[Said], _env: Mapping[str, Said], files: Files, problems: Problems
) -> tuple[Found, list[Word], list[str]]:
    """The hop of a command line with what its configuration file says; the command line counts."""
    server, line = Assigned(problems), Settings(Problems())
    read_options(PROGRAM, words[1:], line)
    config = line.said.get("config")
    if config is not None:
        _configured(server, config, files)
    before = server.settings.many.pop("bind", [])
    rest = read_options(PROGRAM, words[1:], server.settings)
    binds = server.settings.many.setdefault("bind", before)
    server.settings.values.pop("config", None)
    if "workers" in line.said:
        server.processes = None
    listens = [
        listen(address(said.chars, 8000), said, "hypercorn", server.settings) for said in binds
    ] or [listen(address("127.0.0.1:8000"), words[0], "hypercorn", server.settings)]
    found = hop(
        "hypercorn", app(rest, "hypercorn"), server.settings, listens, processes=server.processes
    )
    return found, server.settings.unread, server.files


def _configured(server: Assigned, said: Said, files: Files) -> None:
    """Take the file that `--config` names: TOML, `file:` of Python, or `python:` and a module."""
    kind, colon, rest = said.chars.partition(":")
    name, is_python = (rest, True) if colon and kind in ("file", "python") else (said.chars, False)
    if kind == "python" and is_python:
        name = f"{name.replace('.', '/')}.py"
    text, problems = looked_for(name, said.text.name, files), server.settings.problems
    if text is None:
        message = f"hypercorn reads `{said.chars}`, which was not given"
        problems.add(Fault.NOT_FOUND, message, said.place, "give that file, too")
        return
    server.files.append(text.name)
    try:
        found = pyvalues.top_level(text, {}) if is_python else tomlvalues.top_level(text)
    except BadInput as wrong:
        problems.add(Fault.SYNTAX, f"`{said.chars}`: {wrong.fault}", said.place, wrong.hint or "")
        return
    server.take(found, FILE, cut=False)
