"""What an edge serves and keeps by itself, as text: accepted, explained, read back, or refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.body import Body
from holdfast.model.front.cache import Cache
from holdfast.model.front.compression import Compression
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.model.values import derived
from holdfast.programs.fronts import refuse
from holdfast.programs.nginx import own_descriptors
from holdfast.readers.contract import Reader
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.project import read_project
from holdfast.readers.text import Given, Text
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers.site import Site
from tests.edges import PROGRAMS, demand, host
from tests.readers.test_round_trip import everything
from tests.writers.test_edges import SLOTS, WRITERS, check

READERS: dict[str, Reader] = {"nginx": NGINX, "haproxy": HAPROXY}
UNSAID = {"cache_keys_bytes", "cache_disk_bytes", "cache_size_bytes", "cache_max_age_s"}
"""Of a section or line that the readers make nothing of: no request in flight takes of it."""


YEAR_S = 31_536_000.0
"""More than six figures, which must not be written as a power of ten."""


def fronts(page: Path) -> dict[str, Front]:
    """All that each program does of content, with a page and a folder that are there."""
    errors = (ErrorPage((502, 503, 504), str(page)),)
    cache = Cache(("/catalog/", "/"), fresh=YEAR_S, lock=False, stale=False, status=True)
    return {
        "nginx": Front(
            body=Body(memory=65_536),
            files=(
                Files("/static/", str(page.parent), YEAR_S, immutable=True, precompressed=True),
                Files("/media/", str(page.parent), symlinks=True, download=True),
            ),
            compression=Compression(least=256),
            errors=(
                ErrorPage((404,), str(page), json=str(page), of_app=True),
                *errors,
            ),
            cache=msgspec.structs.replace(cache, fresh=0.5, kept=YEAR_S, lock=True, stale=True),
        ),
        "haproxy": Front(compression=Compression(), errors=errors, cache=cache),
    }


def sized(program: Program, front: Front) -> Hop:
    """An edge for 2,000 in flight that does all of it."""
    return size_edge(demand(), host(), EdgeLayout(program, "", front=front), len(SLOTS))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of errors, in a folder with a space in its name."""
    folder = tmp_path / "my site"
    folder.mkdir()
    (folder / "busy.html").write_text("busy")
    return folder / "busy.html"


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_accepts_it(
    program: Program, tmp_path: Path, page: Path, free_port: int
) -> None:
    """All of it together passes the program's own test, and each line says what it is for."""
    front = fronts(page)[program]
    refuse(program, front)
    hop = sized(program, front)
    site = Site((f"127.0.0.1:{free_port}",), SLOTS, front=front)
    (tmp_path / "edge").mkdir()
    for name, text in WRITERS[program](hop, site).items():
        (tmp_path / "edge" / name).write_text(text)
        judged = check(program, tmp_path / "edge" / name)
        assert (judged.returncode, judged.stderr.count("warn")) == (0, 0), judged.stderr


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_its_numbers_are_read_back(program: Program, page: Path) -> None:
    """Each value that takes of what requests take is what its text says, without a problem."""
    front = fronts(page)[program]
    hop = sized(program, front)
    for name, text in WRITERS[program](hop, Site(("127.0.0.1:1",), SLOTS, front=front)).items():
        read = READERS[program].read(Text(name, text), Given())
        told = everything(read.hops[0])
        missing = {value.setting for value in hop.values} - set(told)
        assert missing - UNSAID == {"shared_bytes"} - set(told)
        for value in hop.values:
            if value.setting in told:
                assert told[value.setting].value == pytest.approx(value.value), value.setting
        assert read.problems == ()


def test_files_that_stay_open_have_their_descriptors(page: Path) -> None:
    """A worker of nginx is given one more for each, and the model counts them as its own."""
    plain, with_files = sized("nginx", Front()), sized("nginx", fronts(page)["nginx"])
    more = [hop.get("worker_rlimit_nofile").number for hop in (plain, with_files)]
    assert more[1] - more[0] == 1_000 == own_descriptors(with_files) - own_descriptors(plain)


@pytest.mark.parametrize(
    ("front", "told"),
    [
        (Front(files=(Files("/static/", "static"),)), "edge.files"),
        (Front(body=Body(memory=1)), "edge.body.memory"),
        (Front(compression=Compression(least=1)), "edge.compression.least"),
        (Front(compression=Compression(brotli=True)), "edge.compression.brotli"),
        (Front(errors=(ErrorPage((418,), "a"),)), "edge.errors[0].status"),
        (Front(errors=(ErrorPage((503,), "a", json="b"),)), "edge.errors[0]"),
        (Front(errors=(ErrorPage((503,), "a", of_app=True),)), "edge.errors[0]"),
        (Front(cache=Cache(("/a/",), 1.0)), "edge.cache.lock"),
        (Front(cache=Cache(("/a/",), 1.0, lock=False)), "edge.cache.stale"),
        (Front(cache=Cache(("/a/",), lock=False, stale=False)), "edge.cache.fresh"),
    ],
)
def test_what_haproxy_cannot_do_is_refused(front: Front, told: str) -> None:
    """By its key, with what can; nginx does all of it."""
    with pytest.raises(BadInput) as caught:
        refuse("haproxy", front)
    assert caught.value.fault.endswith(f"at `$.{told}`")
    assert "--edge nginx" in (caught.value.hint or "")
    refuse("nginx", front)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[edge.files]]\nurl = '/static'\nfolder = 'a'", "files[0].url"),
        ("[[edge.files]]\nurl = '/../'\nfolder = 'a'", "files[0].url"),
        ("[[edge.files]]\nurl = '/'\nfolder = 'a'", "leaves nothing to the app"),
        ("[[edge.files]]\nurl = '/a/'\nfolder = 'a$b'", "files[0].folder"),
        ("[[edge.files]]\nurl = '/a/'\nfolder = 'a'\nimmutable = true", "needs `expires`"),
        ("[[edge.files]]\nurl = '/a/'\nfolder = 'a'\nexpires = 'long'", "files[0].expires"),
        ("[edge.cache]\npaths = []", "cache.paths"),
        ("[edge.cache]\npaths = ['/a/', '/a/']", "said twice"),
        ("[edge.compression]\nlevel = 10", "compression.level"),
        ("[edge.compression]\ntypes = ['text/html;']", "compression.types[0]"),
        ("[[edge.errors]]\nstatus = [200]\npage = 'a'", "errors[0].status[0]"),
    ],
)
def test_what_no_edge_could_do_is_told_by_its_key(text: str, told: str) -> None:
    """A URL without its slashes, one that leads out, a number that is none."""
    with pytest.raises(BadInput) as caught:
        read_project(text, "holdfast.toml")
    assert told in caught.value.fault


def test_days_are_written_as_people_do() -> None:
    """Thirty days of expiry are `30d`."""
    text = "[[edge.files]]\nurl = '/static/'\nfolder = 'static'\nexpires = '30d'"
    assert read_project(text, "a").edge.files[0].expires == 2_592_000


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_sites_page_says_when_to_come_again(program: Program) -> None:
    """Where requests beyond N are refused, the page that takes that answer's place says it too."""
    front = Front(errors=(ErrorPage((503,), "/srv/busy.html"),))
    hop = sized(program, front)
    again = (derived("retry_after_s", 7, "as told"), derived("queue_room", 0, "none waits"))
    site = Site(("127.0.0.1:1",), SLOTS, front=front)
    plain, told = (
        "".join(WRITERS[program](one, site).values())
        for one in (hop, msgspec.structs.replace(hop, values=(*hop.values, *again)))
    )
    line = {"nginx": "set $again 7;", "haproxy": '"/srv/busy.html" hdr Retry-After 7'}[program]
    assert (plain.count(line), plain.count("Retry-After")) == (0, 0)
    assert told.count(line) == 1
