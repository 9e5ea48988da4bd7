"""The settings of TLS of nginx and HAProxy: a row each. Nothing here limits anything.

What is remembered of sessions takes memory; who may resume one is let in by less processor time.
"""

from __future__ import annotations

from typing import Final

from holdfast.programs.rows import Setting

NGINX: Final = (
    Setting(
        "ssl_session_cache",
        "bytes",
        0,
        "0.5.6",
        "nginx",
        "Memory in which all worker processes remember sessions (`shared:NAME:SIZE`).",
    ),
    Setting(
        "ssl_session_timeout_s",
        "seconds",
        300,
        "0.5.6",
        "nginx",
        "How long a session may resume, remembered or by a ticket.",
    ),
    Setting(
        "ssl_buffer_size",
        "bytes",
        16_384,
        "1.5.9",
        "nginx",
        "What is gathered before it is sent as a record; a client keeps so much while it is sent.",
    ),
)
HAPROXY: Final = (
    Setting(
        "tune_ssl_cachesize",
        "blocks",
        20_000,
        "1.5",
        "haproxy",
        "Blocks of 200 bytes in which each process remembers sessions, one or more for each.",
    ),
    Setting(
        "tune_ssl_lifetime_s",
        "seconds",
        300,
        "1.5",
        "haproxy",
        "How long a session may resume, remembered or by a ticket.",
    ),
)
