"""What content and bodies take of N: memory, disk and descriptors, each in a wall of the plan."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.model.errors import Impossible
from holdfast.model.front.body import Body
from holdfast.model.front.cache import Cache
from holdfast.model.front.compression import Compression
from holdfast.model.front.front import Front
from holdfast.model.path import Demand, Host, Kind, Path
from holdfast.programs.catalog import path_walls
from holdfast.programs.kernel import memory_parts
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.path import size
from tests.sizing.test_law_1 import COSTS, behind, host, narrowest

MIB = 2**20
N = 5_000
HALF = (
    Kind("pages", 0.5, 20.0),
    Kind("uploads", 0.5, 20.0, body_bytes=5 * MIB),
)
"""Half of what is in flight brings a body."""


def sized(
    front: Front,
    kinds: tuple[Kind, ...] = HALF,
    here: Host | None = None,
    program: Program = "nginx",
) -> tuple[Path, Demand]:
    """A path with an edge that does so."""
    demand = Demand(N, kinds, burst=250)
    layout = behind(EdgeLayout(program, "", costs=COSTS, front=front))
    layout = msgspec.structs.replace(layout, services=(), generator=None)
    return size(demand, here or host(disk_available=200 * 2**30), layout), demand


def memory(front: Front, kinds: tuple[Kind, ...] = HALF, program: Program = "nginx") -> float:
    """Bytes that the edge takes at N."""
    path, demand = sized(front, kinds, program=program)
    base, request, _ = memory_parts(path.hop("edge"), path, demand)
    return base + request * N


def test_bodies_are_files_with_room_and_descriptors() -> None:
    """Half of N have a file: so much disk and so many descriptors more."""
    path, demand = sized(Front())
    plain, _ = sized(Front(), (Kind("pages", 1.0, 20.0),))
    files = [one.hop("edge").get("worker_rlimit_nofile") for one in (path, plain)]
    fullest = int(files[0].why.split(" bodies in files")[0].rpartition(" ")[2].replace(",", ""))
    assert files[0].number - files[1].number == fullest >= N / 2 / path.hop("edge").processes
    walls = {limit.resource: found for limit, found in path_walls(path, demand)}
    assert walls["temporary files"].best == 200 * 2**30 // (5 * MIB / 2)
    assert min(found.sure for found in walls.values()) >= N
    assert narrowest(path, demand)[1] < N


def test_a_disk_that_is_too_small_is_impossible() -> None:
    """12 GiB of bodies do not fit 10 GiB: what is short is said, and what fits."""
    with pytest.raises(Impossible) as caught:
        sized(Front(), here=host(disk_available=10 * 2**30))
    assert caught.value.resource == "temporary files"
    assert caught.value.fits == pytest.approx(10 * 2**30 / (5 * MIB / 2), abs=1)
    assert "12.2 GiB of temporary files" in caught.value.fault
    assert "[edge.body]" in (caught.value.hint or "")
    sized(Front(body=Body(buffered=False)), here=host(disk_available=10 * 2**30))


def test_a_buffer_of_bodies_is_memory() -> None:
    """N / 2 bodies take as much memory as the buffer has, and no disk where it has them all."""
    more = memory(Front(body=Body(memory=16 * 1024 + MIB))) - memory(Front())
    assert more == pytest.approx(N / 2 * MIB)
    path, demand = sized(
        Front(body=Body(most=8 * MIB, memory=6 * MIB)), here=host(disk_available=0)
    )
    assert "temporary files" not in {limit.resource for limit, _ in path_walls(path, demand)}


def test_what_is_kept_and_compressed_takes_memory_once() -> None:
    """nginx: 128 bytes a key, zlib or brotli a process; HAProxy: the answers themselves."""
    pages = (Kind("pages", 1.0, 20.0),)
    cache = Cache(("/a/",), 1.0, entries=100_000, size=32 * MIB, lock=False, stale=False)
    processes = sized(Front(), pages)[0].hop("edge").processes
    for front, program, more in (
        (Front(cache=cache), "nginx", 13 * MIB),
        (Front(compression=Compression()), "nginx", processes * (8_192 + 16 + 2**18)),
        (Front(compression=Compression()), "haproxy", 0),
        (
            Front(compression=Compression(level=4, brotli=True)),
            "nginx",
            processes * (2**19 + 2**22),
        ),
        (
            Front(compression=Compression(level=9, brotli=True)),
            "nginx",
            processes * (2**25 + 2**22),
        ),
    ):
        assert memory(front, pages, program) - memory(Front(), pages, program) == more
    count = sized(Front(), pages, program="haproxy")[0].hop("edge").processes
    taken = memory(Front(cache=cache), pages, "haproxy") - memory(Front(), pages, "haproxy")
    assert taken == count * 32 * MIB


def test_who_waits_for_another_waits_as_long_as_an_answer_takes() -> None:
    """The lock's times are those of the longest answer: sooner, all would ask at once."""
    edge = sized(Front(cache=Cache(("/a/",))))[0].hop("edge")
    longest = edge.get("proxy_read_timeout_s").number
    assert edge.get("proxy_cache_lock_timeout_s").number == longest
    assert edge.get("proxy_cache_lock_age_s").number == longest


def test_the_largest_bodies_at_once_are_told() -> None:
    """Beside `most` stands what N of them are."""
    why = sized(Front(body=Body(most=20 * MIB)))[0].hop("edge").get("client_max_body_size").why
    assert "5,000 of them at once are 97.7 GiB" in why
