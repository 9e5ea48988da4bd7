"""gunicorn's configuration file, command line and GUNICORN_CMD_ARGS as a hop. Executes nothing.

Later goes before earlier: WEB_CONCURRENCY, the file, the variable's options, the command line.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from holdfast.model.values import Source, Value
from holdfast.readers.address import address
from holdfast.readers.argv import Option, Program, Settings, names, read_options, same, yes
from holdfast.readers.assigned import Assigned
from holdfast.readers.contract import (
    Amount,
    Fault,
    Found,
    Problems,
    Read,
    Reader,
)
from holdfast.readers.pyresults import Known
from holdfast.readers.pyvalues import top_level
from holdfast.readers.said import Said, looked_for
from holdfast.readers.serving import app, hop, listen
from holdfast.readers.shell import words as shell_words
from holdfast.readers.text import Files, Text, Word, written


def number(text: str) -> int:
    """A whole number as gunicorn takes it: 30, 0x1e; at least zero."""
    try:
        found = int(text, 0)
    except ValueError:
        raise ValueError("is no whole number") from None
    if found < 0:
        raise ValueError("is less than zero")
    return found


def truth(text: str) -> bool:
    """True or False as gunicorn takes them."""
    if text.strip().lower() not in ("true", "false"):
        raise ValueError("is neither True nor False")
    return text.strip().lower() == "true"


FILE: dict[str, tuple[str, Amount]] = {
    "workers": ("workers", number),
    "worker_class": ("worker_class", same),
    "threads": ("threads", number),
    "worker_connections": ("worker_connections", number),
    "backlog": ("backlog", number),
    "timeout": ("timeout_s", number),
    "graceful_timeout": ("grace_s", number),
    "keepalive": ("keep_alive_s", number),
    "max_requests": ("max_requests", number),
    "max_requests_jitter": ("max_requests_jitter", number),
    "reuse_port": ("reuse_port", truth),
}
"""Names of the configuration file: where each lands and how it is read."""
PROGRAM = Program(
    "gunicorn",
    (
        Option(("-w", "--workers"), "workers", number, env="WEB_CONCURRENCY"),
        Option(("-k", "--worker-class"), "worker_class", same),
        Option(("--threads",), "threads", number),
        Option(("--worker-connections",), "worker_connections", number),
        Option(("--backlog",), "backlog", number),
        Option(("-t", "--timeout"), "timeout_s", number),
        Option(("--graceful-timeout",), "grace_s", number),
        Option(("--keep-alive",), "keep_alive_s", number),
        Option(("--max-requests",), "max_requests", number),
        Option(("--max-requests-jitter",), "max_requests_jitter", number),
        Option(("--reuse-port",), "reuse_port", yes, flag=True),
        Option(("-b", "--bind"), "bind", same, many=True),
        Option(("-c", "--config"), "config", same),
        Option(("--chdir",), "chdir", same),
    ),
    flags=names(
        "-h --help -v --version --reload --spew --check-config --print-config --preload "
        "--no-sendfile -D --daemon --initgroups --disable-redirect-access-to-syslog "
        "--capture-output --log-syslog -R --enable-stdio-inheritance --suppress-ragged-eofs "
        "--do-handshake-on-connect --permit-obsolete-folding --strip-header-spaces "
        "--permit-unconventional-http-method --permit-unconventional-http-version "
        "--casefold-http-method --no-control-socket --enable-backlog-metric "
        "--proxy-protocol"
    ),
    others=names(
        "--limit-request-line --limit-request-fields --limit-request-field_size --reload-engine "
        "--reload-extra-file -e --env -p --pid --worker-tmp-dir -u --user -g --group -m --umask "
        "--forwarded-allow-ips --access-logfile --access-logformat --error-logfile --log-file "
        "--log-level --logger-class --log-config --log-config-json --log-syslog-to "
        "--log-syslog-prefix --log-syslog-facility --statsd-host --dogstatsd-tags "
        "--statsd-prefix -n --name --pythonpath --paste --paster --proxy-allow-from --protocol "
        "--uwsgi-allow-from --keyfile --certfile --ssl-version --cert-reqs --ca-certs --ciphers "
        "--http-protocols --http2-cleartext --http2-max-concurrent-streams "
        "--http2-initial-window-size --http2-max-frame-size --http2-max-header-list-size "
        "--paste-global --forwarder-headers --header-map --asgi-loop --asgi-lifespan "
        "--asgi-disconnect-grace-period --websocket-max-message-size --http-parser --root-path "
        "--dirty-app --dirty-workers --dirty-timeout --dirty-threads --dirty-graceful-timeout "
        "--control-socket --control-socket-mode"
    ),
    shortened=True,
)
_RECOGNISED = re.compile(
    r"^(worker_class|worker_connections|workers|threads|bind|wsgi_app|keepalive|backlog)"
    r"\s*(?::[^=\n]*)?=(?!=)",
    re.MULTILINE,
)
_COMMENTED = re.compile(r"^[ \t]*#[ \t]*worker_class[ \t]*=[ \t]*(['\"])(\w+)\1", re.MULTILINE)
COMMENTED = "commented_worker_class"
"""A hop's value: the class of workers that a comment offers."""
DEFAULT_FILE = "gunicorn.conf.py"


class _Server(Assigned):
    """One gunicorn while it is read."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.name = ""

    def file(self, text: Text, env: Mapping[str, Said]) -> None:
        """Take a configuration file: a name that it assigns replaces what was said before."""
        self.files.append(text.name)
        names = top_level(text, env)
        self.take(names, FILE, cut=True)
        offered = _COMMENTED.search(text.said)
        if offered is not None:
            place = text.place(*offered.span(2))
            said = written(COMMENTED, offered[2], offered[0].strip(), place)
            self.settings.values[COMMENTED] = said
        app_name = names.get("wsgi_app")
        if isinstance(app_name, Known) and isinstance(app_name.value, str):
            self.name = app_name.value

    def addresses(self, said: Said) -> list[Said]:
        """The addresses of a text, commas between them."""
        return _commas(said)

    def hop(self, rest: Sequence[Said], start: Said, env: Mapping[str, Said]) -> Found:
        """The hop, where all has been said."""
        for name in ("config", "chdir"):
            self.settings.values.pop(name, None)
        binds = self.settings.many.get("bind", [])
        listens = [
            listen(address(said.chars, 8000), said, "gunicorn", self.settings) for said in binds
        ]
        if not binds and start.chars:
            port = env.get("PORT")
            at = "127.0.0.1:8000" if port is None else f"0.0.0.0:{port.chars}"
            listens = [listen(address(at, 8000), port or start, "gunicorn", self.settings)]
        if len(binds) > 1:
            place, line = binds[-1].place, binds[-1].line
            self.settings.values["listeners"] = Value(
                "listeners", len(binds), Source.DERIVED, f"addresses of `bind`: {line}", place
            )
        name = self.name if not rest else app(rest, "gunicorn")
        return hop("gunicorn", name or "gunicorn", self.settings, listens, processes=self.processes)


def _commas(said: Said) -> list[Said]:
    """The parts of a text between commas, blanks around them left out."""
    parts, start = [], 0
    for part in said.chars.split(","):
        if part.strip():
            parts.append(said.cut(start, start + len(part)).stripped())
        start += len(part) + 1
    return parts


def read_command(
    words: Sequence[Said], env: Mapping[str, Said], files: Files, problems: Problems
) -> tuple[Found, list[Word], list[str]]:
    """The hop of a command line with what its configuration file and variables say.

    A file that was not given is said; its name is looked for beside the text, too, since what is
    audited lies seldom where it will run.
    """
    server = _Server(problems)
    told = env.get("WEB_CONCURRENCY")
    if told is not None:
        server.settings.land(PROGRAM.options[0], told)
    line, cmd_args = Settings(Problems()), env.get("GUNICORN_CMD_ARGS")
    more = shell_words(cmd_args) if cmd_args is not None else []
    read_options(PROGRAM, [*more, *words[1:]], line)
    _configured(server, line, words[0], env, files)
    for options in (more, words[1:]):
        before = server.settings.many.pop("bind", [])
        rest = read_options(PROGRAM, options, server.settings)
        server.settings.many.setdefault("bind", before)
        if "workers" in server.settings.said and _is_plain(server):
            server.processes = None
    return server.hop(rest, words[0], env), server.settings.unread, server.files


def _is_plain(server: _Server) -> bool:
    return not isinstance(server.settings.values["workers"].value, str)


def _configured(
    server: _Server, line: Settings, start: Said, env: Mapping[str, Said], files: Files
) -> None:
    """Take the configuration file that the options name, or the one that gunicorn looks for."""
    said, folder = line.said.get("config"), line.said.get("chdir")
    beside = start.text.name
    if said is None:
        text = looked_for(DEFAULT_FILE, beside, files)
        if text is not None:
            server.file(text, env)
        return
    name = said.chars.removeprefix("file:")
    if name.startswith("python:"):
        name = name.removeprefix("python:").replace(".", "/") + ".py"
    under = [posixpath.join(folder.chars, name)] if folder is not None else []
    for wanted in (*under, name):
        text = looked_for(wanted, beside, files)
        if text is not None:
            server.file(text, env)
            return
    message = f"gunicorn reads `{said.chars}`, which was not given"
    server.settings.problems.add(Fault.NOT_FOUND, message, said.place, "give that file, too")


def read(text: Text, _files: Files) -> Read:
    """A configuration file alone. Raises BadInput where it is no Python."""
    problems = Problems()
    server = _Server(problems)
    server.file(text, {})
    first = re.search(r"\S[^\n]*", text.said)
    found = server.hop((), Said.of(text, *first.span()) if first else Said.of(text, 0, 0), {})
    return Read(
        hops=(found,),
        problems=tuple(problems.found),
        files=(text.name,),
    )


def recognises(text: Text) -> bool:
    """A Python file that assigns what gunicorn looks for, or has the name that it looks for."""
    base = posixpath.basename(text.name)
    if not base.endswith(".py"):
        return False
    if base == DEFAULT_FILE or "gunicorn" in base:
        return True
    found = {match[1] for match in _RECOGNISED.finditer(text.said)}
    return len(found) >= 2 and bool(found & {"worker_class", "workers", "worker_connections"})


READER = Reader("gunicorn", recognises, read)
