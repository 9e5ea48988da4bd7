"""Folders, pages and compression at the real edge: what is served, and what is nobody's."""

from __future__ import annotations

import gzip
import os
import re
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest

from holdfast.model.front.compression import Compression
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.sizing.layout import Program
from holdfast.stack.folders import brotli_module, resolved
from holdfast.stack.process import StackProcess
from tests.edges import INSTALLED, PROGRAMS
from tests.helpers import wait_until
from tests.stack.asked import Answer, ask, open_folder, started
from tests.stack.driving import running
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

SECRET = b"nobody's"
STYLE = b"body { color: black }\n" * 200


class Served:
    """nginx before one worker, with a folder of files; `root` has what lies beside it."""

    def __init__(self, stack: StackProcess, root: Path) -> None:
        self.stack, self.root = stack, root

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.stack.port, path, method, **headers)


def lay_out(root: Path) -> None:
    """A site as people have them, with what must not be seen in it, beside it and linked to."""
    for name in ("static/css", "static/.git", "static/.well-known", "static-private", "media"):
        (root / name).mkdir(parents=True)
    files = {
        "static/css/site.css": STYLE,
        "static/app.js": b"let a = 1;\n",
        "static/app.js.gz": gzip.compress(b"let a = 1;\n"),
        "static/a b.txt": b"spaced",
        "static/noend": b"bytes",
        "static/.well-known/acme": b"token",
        "media/page.html": b"<script>alert(1)</script>",
        "busy.html": b"<h1>busy</h1>",
        "busy.json": b'{"busy": true}',
        "lost.html": b"<h1>lost</h1>",
    }
    secret = ("static/.git/config", "static/.env", "static-private/key", "secret")
    for name, said in (*files.items(), *((name, SECRET) for name in secret)):
        (root / name).write_bytes(said)
    (root / "static/out").symlink_to(root / "secret")
    (root / "static/up").symlink_to(root)
    (root / "media/own").symlink_to(root / "media/page.html")


FRONT = Front(
    files=(
        Files("/static/", "static", expires=3600.0, immutable=True, precompressed=True),
        Files("/media/", "media", symlinks=True, download=True),
    ),
    errors=(
        ErrorPage((502, 503, 504), "busy.html", json="busy.json"),
        ErrorPage((404,), "lost.html"),
    ),
    compression=Compression(),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One stack for all questions."""
    if not INSTALLED["nginx"]:
        pytest.skip("nginx is not installed")
    with open_folder() as root:
        lay_out(root)
        fields = behind("nginx", front=resolved(FRONT, str(root), "holdfast.toml"))
        fields["slots"] = 1
        with running("content:app", env={"CONTROL": str(root)}, **fields) as stack:
            yield Served(stack, root)


def test_a_file_is_served_with_its_type_and_age(served: Served) -> None:
    """The app is not asked, and clients may keep the file as long as was said."""
    before = started(served.stack)
    answer = served.ask("/static/css/site.css")
    assert (answer.status, answer.body) == (200, STYLE)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert {"etag", "last-modified", "expires"} <= answer.headers.keys()
    assert served.ask("/static/a%20b.txt").body == b"spaced"
    assert served.ask("/static/noend").headers["content-type"] == "application/octet-stream"
    assert started(served.stack) == before


@pytest.mark.parametrize(
    "path",
    [
        *("/static/.env", "/static/.git/config", "/static/%2egit/config", "/static/%2Eenv"),
        *("/static/css/../.env", "/static//.env", "/static/./.env"),
        *("/static/../secret", "/static/%2e%2e/secret", "/static/..%2fsecret"),
        *("/static/%2e%2e%2fsecret", "/static/css/%2e%2e/%2e%2e/secret", "/static..%2fsecret"),
        *("/static../secret", "/static-private/key", "/static/../static-private/key"),
        *("/static%2f..%2fsecret", "/static/..%5csecret", "/static/%252e%252e/secret"),
        *("/static/out", "/static/up/secret", "/static/up/static/app.js", "/static/%00/../secret"),
        *("/static/app.js%00.png", "/static/....//secret", "/static/.../secret"),
    ],
)
def test_what_is_nobodys_stays_so(served: Served, path: str) -> None:
    """However it is written, what is hidden, linked to or beside the folder is not answered."""
    answer = served.ask(path)
    assert SECRET not in answer.body
    assert b"let a" not in answer.body
    assert answer.status in {400, 403, 404} or b" - - " in answer.body  # or the app answered it


def test_what_is_meant_for_everybody_is_served(served: Served) -> None:
    """`.well-known` begins with a dot, and is there to be asked for."""
    assert served.ask("/static/.well-known/acme").body == b"token"


def test_no_folder_is_listed(served: Served) -> None:
    """A folder without an index is not answered, and without its slash not with a port of ours."""
    assert served.ask("/static/css/").status == 403
    moved = served.ask("/static/css")
    assert (moved.status, moved.headers["location"]) == (301, "/static/css/")


def test_links_are_followed_where_they_may_be(served: Served) -> None:
    """A link whose owner is the file's is the file; what users brought is saved, not shown."""
    answer = served.ask("/media/own")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in served.ask("/static/app.js").headers


def test_a_part_of_a_file_is_asked_for(served: Served) -> None:
    """A range is 206 with those bytes, one past the end 416, several a multipart answer."""
    part = served.ask("/static/css/site.css", Range="bytes=5-9")
    assert (part.status, part.body) == (206, STYLE[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(STYLE)}"
    assert served.ask("/static/css/site.css", Range="bytes=-3").body == STYLE[-3:]
    assert served.ask("/static/css/site.css", Range="bytes=999999-").status == 416
    several = served.ask("/static/css/site.css", Range="bytes=0-1,4-5")
    assert several.headers["content-type"].startswith("multipart/byteranges")


def test_a_file_that_is_known_is_not_sent_again(served: Served) -> None:
    """By its ETag or its date it is 304; where it has changed it comes, and a range with it."""
    known = served.ask("/static/css/site.css").headers
    assert served.ask("/static/css/site.css", If_None_Match=known["etag"]).status == 304
    date = known["last-modified"]
    assert served.ask("/static/css/site.css", If_Modified_Since=date).status == 304
    assert served.ask("/static/css/site.css", If_None_Match='"other"').status == 200
    assert served.ask("/static/css/site.css", If_Range='"other"', Range="bytes=0-1").status == 200
    assert served.ask("/static/css/site.css", "HEAD").body == b""
    assert served.ask("/static/css/site.css", "POST").status == 405


def test_an_answer_is_compressed_for_who_takes_it(served: Served) -> None:
    """gzip where it is taken, with a weak ETag and `Vary`; or the file that lies there so."""
    whole = served.ask("/static/css/site.css")
    small = served.ask("/static/css/site.css", Accept_Encoding="gzip")
    assert gzip.decompress(small.body) == STYLE
    assert small.headers["etag"] == f"W/{whole.headers['etag']}"
    assert small.headers["vary"] == "Accept-Encoding"
    known = served.ask(
        "/static/css/site.css", Accept_Encoding="gzip", If_None_Match=small.headers["etag"]
    )
    assert known.status == 304
    ready = served.ask("/static/app.js", Accept_Encoding="gzip")
    assert (ready.headers["content-encoding"], gzip.decompress(ready.body)) == (
        "gzip",
        b"let a = 1;\n",
    )


@pytest.mark.skipif(
    not (INSTALLED["nginx"] and brotli_module()), reason="nginx's module for brotli is missing"
)
def test_brotli_for_who_takes_it() -> None:
    """Files and the app's answers alike, weakly tagged; gzip for who takes only that."""
    front = Front(files=FRONT.files, compression=Compression(brotli=True))
    with open_folder() as root:
        lay_out(root)
        fields = {**behind("nginx", front=resolved(front, str(root), "a")), "slots": 1}
        with running("content:app", env={"CONTROL": str(root)}, **fields) as stack:
            for path, known_status in (
                ("/static/css/site.css", 304),
                ("/x?bytes=4000&h=content-type:text/css&etag=%22a%22", 200),  # the app's own word
            ):
                whole = ask(stack.port, path)
                small = ask(stack.port, path, Accept_Encoding="gzip, br")
                assert (small.headers["content-encoding"], small.headers["vary"]) == (
                    "br",
                    "Accept-Encoding",
                )
                assert brotli.decompress(small.body).endswith(whole.body[-4_000:])
                assert small.headers["etag"] == f"W/{whole.headers['etag']}"
                known = small.headers["etag"]
                again = ask(stack.port, path, Accept_Encoding="br", If_None_Match=known)
                assert again.status == known_status
                other = ask(stack.port, path, Accept_Encoding="gzip")
                assert other.headers["content-encoding"] == "gzip"


def test_the_app_answers_its_own_errors(served: Served) -> None:
    """A page of the edge takes the place of the edge's own answers, and of no other."""
    assert served.ask("/static/nothing.css").body == b"<h1>lost</h1>"
    assert served.ask("/static/nothing.css").status == 404
    own = served.ask("/x?status=404")
    assert (own.status, b"lost" in own.body) == (404, False)
    assert served.ask("/x?status=503").body != b"<h1>busy</h1>"
    assert served.ask("/.holdfast-error/0/page").body != b"<h1>busy</h1>"


def test_a_file_is_open_once_in_a_process(served: Served) -> None:
    """However many clients read it slowly: what the limits count is what is open."""
    (served.root / "static/large").write_bytes(b"0" * (64 << 20))
    clients = []
    for _ in range(40):
        client = socket.create_connection(("127.0.0.1", served.stack.port), timeout=30)
        clients.append(client)
        client.sendall(b"GET /static/large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1)
    found = [opened(pid, "static/large") for pid in served.stack.edge_pids()]
    for client in clients:
        client.close()
    assert set(found) == {0, 1}  # the master has none


def opened(pid: int, name: str) -> int:
    """Descriptors of a process for a file whose path ends so."""
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(entry).endswith(name) for entry in folder.iterdir())


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_edge_alone_shows_the_sites_page(program: Program) -> None:
    """With its workers gone the edge answers with the site's page, or with the one for JSON."""
    json = "busy.json" if program == "nginx" else None
    front = Front(
        errors=(ErrorPage((502, 503), "busy.html", json=json),), compression=Compression()
    )
    with open_folder() as root:
        lay_out(root)
        fields = {**behind(program, front=resolved(front, str(root), "a")), "slots": 1}
        with running("content:app", env={"CONTROL": str(root)}, **fields) as stack:
            path = "/x?bytes=4000&h=content-type:text/plain&etag=%22a%22"
            small = ask(stack.port, path, Accept_Encoding="gzip")
            assert small.headers["content-encoding"] == "gzip"
            assert zlib.decompress(small.body, 31).endswith(b"x" * 4000)
            assert re.fullmatch(r'W/"a"', small.headers["etag"])
            assert "content-encoding" not in ask(stack.port, path).headers
            part = ask(stack.port, "/x", Range="bytes=0-1", Accept_Encoding="gzip")
            assert b" bytes=0-1 " in part.body
            Path(stack.serving.run_dir, "slot-0.sock").unlink()
            assert alone(stack).body == b"<h1>busy</h1>"
            if json:
                told = alone(stack, Accept="application/problem+json, */*")
                assert told.body == b'{"busy": true}'
                assert told.headers["content-type"] == "application/json"


def alone(stack: StackProcess, **headers: str) -> Answer:
    """What the edge answers by itself; each answer of the app takes an idle connection with it."""

    def asked() -> Answer | None:
        answer = ask(stack.port, "/x?h=connection:close", **headers)
        return answer if answer.status >= 500 else None

    return wait_until(asked)
