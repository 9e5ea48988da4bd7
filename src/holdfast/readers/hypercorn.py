"""hypercorn's command line as a hop. Opens no file and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from holdfast.readers.contract import Fault, Found, Problems
from holdfast.readers.said import Said
from holdfast.readers.serving import app, hop, listen
from holdfast.readers.text import Word

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


def read(
    words: Sequence[Said], _env: Mapping[str, Said], problems: Problems
) -> tuple[Found, list[Word]]:
    """The hop of a command line: `words` from the program's own on."""
    settings = Settings(problems)
    rest = read_options(PROGRAM, words[1:], settings)
    binds = settings.many.get("bind", [])
    listens = [listen(address(said.chars, 8000), said, "hypercorn", settings) for said in binds]
    if not binds:
        at = address("127.0.0.1:8000")
        listens = [listen(at, words[0], "hypercorn", settings)]
    config = settings.values.pop("config", None)
    if config is not None and config.place is not None:
        message = f"hypercorn reads `{config.value}`, which is not read here"
        problems.add(Fault.UNREAD, message, config.place, "say what it sets on the command line")
    return hop("hypercorn", app(rest, "hypercorn"), settings, listens), settings.unread
