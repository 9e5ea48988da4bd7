"""Answers that the real edge keeps: how many requests reach the app, and whose answer is whose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.front.cache import Cache
from holdfast.model.front.front import Front
from holdfast.stack.process import StackProcess
from tests.edges import INSTALLED
from tests.helpers import wait_until
from tests.stack.asked import Answer, ask, open_folder, started
from tests.stack.driving import BUSY, Client, readable, running
from tests.stack.edges import behind, edge_sockets

pytestmark = pytest.mark.slow

FEW = 100
"""More sockets than an edge has for itself and for one client after the other."""


class Kept:
    """An edge that keeps what lies below `/kept/`, before one worker; `root` controls the app."""

    def __init__(self, stack: StackProcess, root: Path) -> None:
        self.stack, self.root = stack, root

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.stack.port, path, method, **headers)

    def said(self, path: str, **headers: str) -> tuple[str, bytes]:
        """What became of a request, and the number of the app's answer."""
        answer = self.ask(path, **headers)
        return answer.headers.get("x-cache", ""), answer.body.split()[0]

    @contextlib.contextmanager
    def waiting(self, path: str, count: int) -> Iterator[list[Client]]:
        """So many clients, almost all of whose connections are at the edge; others' are gone."""
        wait_until(lambda: edge_sockets(self.stack) < FEW)
        with contextlib.ExitStack() as undo:
            clients = []
            for _ in range(count):
                client = Client(self.stack.port)
                undo.callback(client.close)
                client.get(path)
                clients.append(client)
            wait_until(lambda: edge_sockets(self.stack) >= count)
            yield clients


@contextlib.contextmanager
def keeping(program: str, cache: Cache) -> Iterator[Kept]:
    """A stack whose edge keeps answers so."""
    if not INSTALLED[program]:
        pytest.skip(f"{program} is not installed")
    with open_folder() as root:
        fields = {**behind(program, front=Front(cache=cache)), "slots": 1}
        with running("content:app", env={"CONTROL": str(root)}, **fields) as stack:
            yield Kept(stack, root)


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """nginx for all questions, which differ in their URLs."""
    with keeping("nginx", Cache(("/kept/",), fresh=60.0, status=True)) as found:
        yield found


@pytest.fixture(scope="module")
def small() -> Iterator[Kept]:
    """HAProxy for all questions."""
    cache = Cache(("/kept/",), fresh=60.0, status=True, lock=False, stale=False)
    with keeping("haproxy", cache) as found:
        yield found


def test_one_of_many_asks_the_app(kept: Kept) -> None:
    """2,000 at once want what is not there: one request reaches the app, all have its answer."""
    before = started(kept.stack)
    with kept.waiting("/kept/many?gate=many", BUSY) as clients:
        wait_until(lambda: started(kept.stack) > before)
        (kept.root / "many").touch()
        answers = [client.read() for client in clients]
    assert started(kept.stack) == before + 1
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 1


def test_one_of_many_fetches_what_expires(kept: Kept) -> None:
    """Once it is old 2,000 clients have the old answer at once, while one request fetches it."""
    path, gate = "/kept/old?gate=old&h=cache-control:max-age=1", kept.root / "old"
    gate.touch()
    old = kept.said(path)[1]
    gate.unlink()
    before = started(kept.stack)
    wait_until(lambda: kept.said(path)[0] == "STALE", what="old enough")
    wait_until(lambda: started(kept.stack) == before + 1)
    with kept.waiting(path, BUSY) as clients:
        answers = [client.read() for client in clients]
    assert started(kept.stack) == before + 1
    assert {headers["x-cache"] for _, headers, _ in answers} == {"updating"}
    assert {body.split()[0] for _, _, body in answers} == {old}
    gate.touch()
    new = wait_until(lambda: said[1] if (said := kept.said(path))[0] == "HIT" else None)
    assert int(new) > int(old)
    assert started(kept.stack) <= before + 2  # it may have grown old again meanwhile


def test_who_has_the_app_asked_waits_with_the_next_request_only(kept: Kept) -> None:
    """Whose request finds the answer old has it at once; nginx has the next on that connection wait
    until the new one is there."""
    path, gate = "/kept/first?gate=first&h=cache-control:max-age=1", kept.root / "first"
    gate.touch()
    kept.ask(path)
    gate.unlink()
    client = Client(kept.stack.port)

    def asked() -> str:
        client.get(path)
        return client.read()[1]["x-cache"]

    wait_until(lambda: asked() == "stale")
    client.get("/kept/next")
    assert kept.ask("/kept/next").status == 200
    assert readable([client]) == []
    gate.touch()
    assert client.status() == 200
    client.close()


def test_an_app_that_fails_is_not_seen(kept: Kept) -> None:
    """While the app answers 503 clients have the old answer; elsewhere they have the 503."""
    path = "/kept/failing?fail=failing&h=cache-control:max-age=1"
    old = kept.said(path)[1]
    (kept.root / "failing").touch()
    before = started(kept.stack)
    wait_until(lambda: started(kept.stack) > before or not kept.ask(path))
    assert kept.said(path) == ("STALE", old)
    assert kept.ask("/x?fail=failing").status == 503


@pytest.mark.parametrize(
    "path",
    ["h=set-cookie:a=b", "h=cache-control:private", "h=cache-control:no-store", "status=404"],
)
def test_what_is_for_one_is_not_kept(kept: Kept, path: str) -> None:
    """An answer that sets a cookie, says `private` or `no-store`, or fails, is nobody else's."""
    numbers = [kept.said(f"/kept/own?{path}")[1] for _ in range(3)]
    assert len(set(numbers)) == 3


@pytest.mark.parametrize("header", ["Cookie", "Authorization"])
def test_who_asks_for_himself_is_answered_by_the_app(kept: Kept, header: str) -> None:
    """A request with a cookie or credentials asks the app, and leaves nothing to others."""
    path = f"/kept/{header}"
    first = kept.said(path, **{header: "a=b"})
    assert first[0] == "BYPASS"
    shared = kept.said(path)
    assert shared[0] == "MISS"
    assert kept.said(path, **{header: "0"})[1] not in (first[1], shared[1])
    assert kept.said(path) == ("HIT", shared[1])


def test_one_url_has_several_answers(kept: Kept) -> None:
    """What `Vary` names, the query and the host have an answer each; POST is never kept."""
    path = "/kept/vary?h=vary:x-shown&h=cache-control:max-age=60"
    ours, theirs = (kept.said(path, X_Shown=shown)[1] for shown in ("a", "b"))
    assert kept.said(path, X_Shown="a") == ("HIT", ours)
    assert kept.said(path, X_Shown="b") == ("HIT", theirs)
    one = kept.said("/kept/host")[1]
    assert kept.said("/kept/host", Host="other.example")[1] != one
    assert kept.said("/kept/host?a=1")[1] != one
    assert kept.ask("/kept/host", "POST").headers.get("x-cache", "") != "HIT"


def test_a_kept_answer_is_asked_for_in_part(kept: Kept) -> None:
    """The app answers whole, once: ranges, ETags, dates and HEAD are of what is kept."""
    path = "/kept/part?etag=%22a%22&bytes=100"
    before = started(kept.stack)
    whole = kept.ask(path, Range="bytes=0-1")
    assert (whole.status, len(whole.body)) == (206, 2)
    assert b" - - " in kept.ask(path).body  # the app was asked for no range
    assert kept.ask(path, If_None_Match='"a"').status == 304
    assert kept.ask(path, "HEAD").headers["x-cache"] == "HIT"
    assert started(kept.stack) == before + 1


def test_what_is_old_is_asked_for_by_its_etag(kept: Kept) -> None:
    """An app that answers 304 has its old answer taken as new, and sends none."""
    path = "/kept/again?etag=%22a%22&h=cache-control:max-age=1"
    old = kept.said(path)[1]
    before = started(kept.stack)
    wait_until(lambda: kept.said(path)[0] == "STALE")
    wait_until(lambda: kept.said(path)[0] == "HIT")
    assert started(kept.stack) > before
    assert kept.said(path)[1] == old


def test_elsewhere_the_app_is_asked_as_ever(kept: Kept) -> None:
    """Ranges and ETags outside of the kept paths reach the app, and nothing says `X-Cache`."""
    assert b" bytes=0-1 " in kept.ask("/x", Range="bytes=0-1").body
    assert kept.ask("/x?etag=%22a%22", If_None_Match='"a"').status == 304
    assert kept.said("/x")[0] == ""


def test_those_who_keep_are_no_workers(kept: Kept) -> None:
    """nginx's cache manager and loader are not followed as its workers are."""
    kept.ask("/kept/pids")
    titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in kept.stack.edge_pids()]
    assert sum(b"cache manager" in title for title in titles) == 1
    came = [event for event in kept.stack.edge_events() if event.kind == "edge_worker_started"]
    assert len(came) == sum(b"worker process" in title for title in titles)


def test_haproxy_keeps_what_does_not_say_for_how_long(small: Kept) -> None:
    """An answer without a word of it is good for `fresh`, unless it sets a cookie."""
    first = small.said("/kept/plain")
    assert small.said("/kept/plain") == ("HIT", first[1])
    assert small.ask("/kept/plain").headers["cache-control"] == "s-maxage=60"
    own = small.ask("/kept/given?h=set-cookie:a=b")
    assert "cache-control" not in own.headers


def test_haproxy_keeps_small_answers(small: Kept) -> None:
    """Its second answer is the first one; who asks for himself has his own."""
    first = small.said("/kept/a?h=cache-control:max-age=60")
    assert first[0] == "MISS"
    assert small.said("/kept/a?h=cache-control:max-age=60") == ("HIT", first[1])
    path = "/kept/own?h=cache-control:max-age=60"
    assert small.said(path, Cookie="a=b")[1] != small.said(path)[1]
    assert small.said(path, Authorization="a")[1] != small.said(path)[1]
    assert small.said(path, Cookie="a=b")[0] != "HIT"
    path = "/kept/given?h=set-cookie:a=b&h=cache-control:max-age=60"
    assert small.said(path)[1] != small.said(path)[1]
    path = "/kept/tag?etag=%22a%22&h=cache-control:max-age=60"
    assert small.ask(path).status == 200
    assert small.ask(path, If_None_Match='"a"').status == 304
    assert small.ask(path, Range="bytes=0-1").status == 200  # whole: it keeps no parts
    assert b" bytes=0-1 " in small.ask("/x", Range="bytes=0-1").body
    assert small.ask("/x?etag=%22a%22", If_None_Match='"a"').status == 304
