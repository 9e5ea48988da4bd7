"""uvicorn's command line and variables as a hop. Opens no file and runs nothing."""

from __future__ import annotations

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
    seconds,
    whole,
)
from holdfast.readers.contract import Found, Problems
from holdfast.readers.said import Said
from holdfast.readers.serving import app, hop, host_and_port, without
from holdfast.readers.text import Word

PROGRAM = Program(
    "uvicorn",
    (
        *ADDRESS,
        Option(("--workers",), "workers", whole, env="WEB_CONCURRENCY"),
        Option(("--loop",), "loop", same),
        Option(("--backlog",), "backlog", whole),
        Option(("--limit-concurrency",), "limit_concurrency", whole),
        Option(("--limit-max-requests",), "max_requests", whole),
        Option(("--timeout-keep-alive",), "keep_alive_s", seconds),
        Option(("--timeout-graceful-shutdown",), "grace_s", seconds),
        Option(("--timeout-worker-healthcheck",), "healthcheck_s", seconds),
    ),
    flags=names(
        "--reload --http2 --access-log --no-access-log --use-colors --no-use-colors "
        "--proxy-headers --no-proxy-headers --server-header --no-server-header --date-header "
        "--no-date-header --version --reset-contextvars --factory --help"
    ),
    others=names(
        "--fd --reload-dir --reload-include --reload-exclude --reload-delay --http --ws "
        "--ws-max-size --ws-max-queue --ws-ping-interval --ws-ping-timeout "
        "--ws-per-message-deflate --lifespan --interface --env-file --log-config --log-level "
        "--forwarded-allow-ips --root-path --limit-max-requests-jitter --ssl-keyfile "
        "--ssl-certfile --ssl-keyfile-password --ssl-version --ssl-cert-reqs --ssl-ca-certs "
        "--ssl-ciphers --header --app-dir --h11-max-incomplete-event-size"
    ),
    prefix="UVICORN_",
)


def read(
    words: Sequence[Said], env: Mapping[str, Said], problems: Problems
) -> tuple[Found, list[Word]]:
    """The hop of a command line: `words` from the program's own on, `env` what is set for it."""
    settings = Settings(problems)
    read_env(PROGRAM, env, settings)
    rest = read_options(PROGRAM, words[1:], settings)
    listens = host_and_port("uvicorn", settings, words[0], host="127.0.0.1", port=8000)
    without(settings, "host", "port", "uds")
    return hop("uvicorn", app(rest, "uvicorn"), settings, listens), settings.unread
