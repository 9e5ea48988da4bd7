"""What an edge takes for what it serves and keeps by itself, and what outlives what. No I/O.

Each number that limits or costs something, with its formula; what is not asked for has none.
"""

from __future__ import annotations

import math
from typing import Final

from holdfast.model.front.body import USUAL_MOST
from holdfast.model.front.cache import Cache
from holdfast.model.front.compression import Compression
from holdfast.model.front.front import Front
from holdfast.model.path import Demand
from holdfast.model.units import format_bytes
from holdfast.model.values import Value, assumed, derived

MIB: Final = 1 << 20
BODY_BUFFER: Final = 16_384
OPEN_FILES: Final = 1_000
"""Files that a worker of nginx keeps open: the most asked ones of a site, a descriptor each."""
OPEN_VALID_S: Final = 1
A_KEY: Final = 128
"""Bytes of a key: `ngx_http_file_cache_node_t` takes 120 to 128 of a slab on 64 bits; nginx's own
reference says 8,000 keys a megabyte."""
COMPRESSOR: Final = 8_192 + 16 + (1 << 17) + (1 << 17)
"""Bytes of zlib for one answer: 2^(window + 2) + 2^(memory + 9), of 15 and 8, and what nginx adds
(`ngx_http_gzip_filter_memory`)."""
BROTLI_REST: Final = 4 * MIB
"""Bytes of brotli for one answer beside its tables, at nginx's window of 512 KiB: twice the window,
what is read, and commands (`scripts/bench brotli_answers`: 3.3 to 4.8 MiB from level 4 on, so that
a whole answer takes 8 % more than is planned at most; fewer below)."""
LEAST_COMPRESSED: Final = 1_024
DISK: Final = 1 << 30
HAPROXY_SIZE: Final = 64 * MIB


def nginx(front: Front, longest_s: float, processes: int) -> tuple[Value, ...]:
    """nginx's values; no request is waited for longer than `longest_s`."""
    told = front.body.memory
    why = "nginx's default" if told is None else "as told"
    size = BODY_BUFFER if told is None else told
    found = [derived("client_body_buffer_size", size, f"{why}; a larger body is a file")]
    if front.files:
        why = "so many files stay open in each process, for whoever asks next: a descriptor each"
        found.append(assumed("open_file_cache", OPEN_FILES, why))
        why = "a file that is replaced is seen so soon"
        found.append(assumed("open_file_cache_valid_s", OPEN_VALID_S, why))
    if front.compression is not None:
        least, why = front.compression.least, "as told: shorter ones stay as they are"
        if least is None:
            least, why = LEAST_COMPRESSED, "a shorter answer fits one packet as it is"
        found.append(derived("gzip_min_length", least, why))
    if front.cache is not None:
        found += _kept(front.cache, longest_s)
    return (*found, *_shared(front, processes))


def haproxy(front: Front, processes: int) -> tuple[Value, ...]:
    """HAProxy's values: it keeps answers in memory, each process for itself."""
    if front.cache is None:
        return ()
    size = HAPROXY_SIZE if front.cache.size is None else front.cache.size
    size = max(1, math.ceil(size / MIB)) * MIB
    taken = f"{processes} x {format_bytes(size)} of kept answers, each process for itself"
    return (
        derived("cache_size_bytes", size, "as told, in whole MiB; in memory"),
        derived(
            "cache_max_age_s",
            math.ceil(front.cache.fresh),
            "as told; no longer, if the app says more",
        ),
        derived("shared_bytes", size * processes, taken),
    )


def largest(setting: str, front: Front, demand: Demand) -> Value:
    """The largest body; as told, with what as many of them as requests would be."""
    most = front.body.most
    if most == USUAL_MOST:
        return derived(setting, most, "a larger body is answered 413; nginx's default")
    at_once = f"{demand.in_flight:,} of them at once are {format_bytes(demand.in_flight * most)}"
    return derived(setting, most, f"a larger body is answered 413; {at_once}")


def body_files(front: Front, demand: Demand, requests: int) -> int:
    """Files of bodies that so many requests in flight have in nginx: of those past its buffer."""
    if not front.body.buffered:
        return 0
    told = front.body.memory
    buffer = BODY_BUFFER if told is None else told
    return math.ceil(requests * demand.mean_in_flight(lambda kind: kind.body_bytes > buffer))


def said(bodies: int) -> str:
    """How files of bodies stand in a formula; nothing where there are none."""
    return f" + {bodies:,} bodies in files" if bodies else ""


def open_files(front: Front) -> int:
    """Descriptors of one worker process of nginx for files that it keeps open."""
    return OPEN_FILES if front.files else 0


def _kept(cache: Cache, longest_s: float) -> tuple[Value, ...]:
    entries = cache.entries
    keys = math.ceil(entries * A_KEY / MIB) * MIB
    return (
        derived("cache_keys_bytes", keys, f"{entries:,} keys of {A_KEY} bytes, in whole MiB"),
        derived("cache_disk_bytes", DISK if cache.size is None else cache.size, "of kept answers"),
        *(
            derived(
                f"proxy_cache_lock_{what}_s",
                longest_s,
                "as long as an answer may take: whoever waits for another one's and gives up "
                "asks the app, and of what all of those get nothing is kept",
            )
            for what in ("timeout", "age")
        ),
    )


def _shared(front: Front, processes: int) -> tuple[Value, ...]:
    """Memory beside the processes' own: the zone of keys, and a compressor in each process."""
    parts = []
    if front.cache is not None:
        keys = math.ceil(front.cache.entries * A_KEY / MIB) * MIB
        parts.append((keys, f"{format_bytes(keys)} of keys"))
    if front.compression is not None:
        size, what = _compressor(front.compression)
        parts.append(
            (processes * size, f"{processes} x {format_bytes(size)} of {what}, one answer each")
        )
    if not parts:
        return ()
    return (derived("shared_bytes", sum(p for p, _ in parts), " + ".join(w for _, w in parts)),)


def brotli_tables(level: int) -> int:
    """Bytes of brotli's tables of places for one answer (`hash_longest_match_inc.h`).

    2^17 places of 4 bytes up to level 4; then 2^14 buckets, 2^15 from level 7 on, of
    2^(level - 1) places.
    """
    return 4 << (17 if level < 5 else level - 1 + (14 if level < 7 else 15))


def _compressor(wanted: Compression) -> tuple[int, str]:
    """Bytes for one answer, and of what: the largest that a client may ask for."""
    if not wanted.brotli:
        return COMPRESSOR, "zlib"
    return brotli_tables(wanted.level) + BROTLI_REST, "brotli"
