"""granian's command line and variables as a hop. Opens no file and runs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from holdfast.readers.argv import (
    ADDRESS,
    Option,
    Program,
    Settings,
    names,
    read_env,
    read_options,
    same,
    whole,
)
from holdfast.readers.contract import Found, Problems
from holdfast.readers.said import Said
from holdfast.readers.serving import app, hop, host_and_port, without
from holdfast.readers.text import Word

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def milliseconds(text: str) -> float:
    """A number of milliseconds, in seconds."""
    number = whole(text)
    return number / 1000 if number % 1000 else number // 1000


def duration(text: str) -> int:
    """Seconds, or what people write: 90, 90s, 1m30s, 2h."""
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError("is no duration such as 90 or 1m30s")
    day, hour, minute, second = (int(part or 0) for part in found.groups())
    return ((day * 24 + hour) * 60 + minute) * 60 + second


PROGRAM = Program(
    "granian",
    (
        *ADDRESS,
        Option(("--interface",), "interface", same),
        Option(("--workers",), "workers", whole),
        Option(("--backlog",), "backlog", whole),
        Option(("--backpressure",), "backpressure", whole),
        Option(("--blocking-threads",), "blocking_threads", whole),
        Option(("--http1-header-read-timeout",), "keep_alive_s", milliseconds),
        Option(("--workers-kill-timeout",), "grace_s", duration),
    ),
    flags=names(
        "--ws --no-ws --http1-keep-alive --no-http1-keep-alive --http1-pipeline-flush "
        "--no-http1-pipeline-flush --http2-adaptive-window --no-http2-adaptive-window --log "
        "--no-log --access-log --no-access-log --ssl-client-verify --no-ssl-client-verify "
        "--respawn-failed-workers --no-respawn-failed-workers --factory --no-factory --reload "
        "--no-reload --metrics --no-metrics --reload-ignore-worker-failure "
        "--no-reload-ignore-worker-failure --version --help"
    ),
    others=names(
        "--uds-permissions --http --blocking-threads-idle-timeout --runtime-threads "
        "--runtime-blocking-threads --runtime-mode --loop --task-impl --http1-buffer-size "
        "--http2-initial-connection-window-size --http2-initial-stream-window-size "
        "--http2-keep-alive-interval --http2-keep-alive-timeout --http2-max-concurrent-streams "
        "--http2-max-frame-size --http2-max-headers-size --http2-max-send-buffer-size "
        "--log-level --log-config --access-log-fmt --ssl-keyfile --ssl-certificate "
        "--ssl-keyfile-password --ssl-protocol-min --ssl-ca --ssl-crl --url-path-prefix "
        "--respawn-interval --workers-lifetime --workers-max-rss --rss-sample-interval "
        "--rss-samples --working-dir --env-files --static-path-route --static-path-mount "
        "--static-path-dir-to-file --static-path-expires --metrics-scrape-interval "
        "--metrics-address --metrics-port --reload-paths --reload-ignore-dirs "
        "--reload-ignore-patterns --reload-ignore-paths --reload-tick --process-name "
        "--pid-file"
    ),
    prefix="GRANIAN_",
)


def read(
    words: Sequence[Said], env: Mapping[str, Said], problems: Problems
) -> tuple[Found, list[Word]]:
    """The hop of a command line: `words` from the program's own on, `env` what is set for it."""
    settings = Settings(problems)
    read_env(PROGRAM, env, settings)
    rest = read_options(PROGRAM, words[1:], settings)
    listens = host_and_port("granian", settings, words[0], host="127.0.0.1", port=8000)
    without(settings, "host", "port")
    return hop("granian", app(rest, "granian"), settings, listens), settings.unread
