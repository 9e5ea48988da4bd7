"""The shop over real HTTP: uvicorn, a real upstream, real sockets. Counts calls, never times."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.examples.running import (
    CEILING_S,
    Program,
    ask,
    counts,
    dial,
    get,
    hear,
    running,
    running_shop,
    running_upstream,
)
from tests.helpers import free_port, wait_until

pytestmark = pytest.mark.slow
AT_ONCE = ("--mean", "0.001", "--sigma", "0")


def pause(upstream: Program) -> None:
    """Let the upstream answer nothing until `resume`."""
    for pid in upstream.children():
        os.kill(pid, signal.SIGSTOP)


def resume(upstream: Program) -> None:
    for pid in upstream.children():
        os.kill(pid, signal.SIGCONT)


def test_an_item_is_its_product_merged_with_its_supplier(tmp_path: Path) -> None:
    """`/items/1234` has the product's own fields and those of supplier 234."""
    with (
        running_upstream(tmp_path, *AT_ONCE) as upstream,
        running_shop(tmp_path, upstream.ports) as shop,
    ):
        reply = get(shop.ports[0], "/items/1234")
    expected = {
        "id": 1234,
        "name": "Product 1234",
        "price_cents": 81_846,
        "supplier": "Supplier 234",
        "stock": 586,
    }
    assert (200, expected) == (reply.status, reply.body)


def test_the_two_records_of_an_item_are_fetched_at_the_same_time(tmp_path: Path) -> None:
    """While one item is asked for, the upstream holds its two requests together."""
    with running_upstream(tmp_path, "--mean", "0.5", "--sigma", "0") as upstream:
        with running_shop(tmp_path, upstream.ports) as shop:
            assert get(shop.ports[0], "/items/7").status == 200
        seen = counts(upstream)
    assert (seen["products"], seen["suppliers"], seen["most_held"]) == (1, 1, 2)


def test_concurrent_requests_of_one_item_share_its_two_fetches(tmp_path: Path) -> None:
    """200 clients that want the same item at once cost one product call and one supplier call."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream:
        with running_shop(tmp_path, upstream.ports) as shop:
            pause(upstream)
            clients = [dial(shop.ports[0]) for _ in range(200)]
            for client in clients:
                ask(client, "/items/7")
            for _ in range(5):  # answered after those that came before have been read
                assert get(shop.ports[0], "/health").status == 200
            resume(upstream)
            replies = [hear(client) for client in clients]
            for client in clients:
                client.close()
        seen = counts(upstream)
    assert [reply.status for reply in replies] == [200] * 200
    assert {7} == {reply.body["id"] for reply in replies}
    assert (seen["products"], seen["suppliers"]) == (1, 1)


def test_clients_that_leave_take_nothing_from_those_that_stay(tmp_path: Path) -> None:
    """When half of an item's clients go away, the first among them, the rest is answered."""
    with (
        running_upstream(tmp_path, *AT_ONCE) as upstream,
        running_shop(tmp_path, upstream.ports) as shop,
    ):
        pause(upstream)
        clients = [dial(shop.ports[0]) for _ in range(40)]
        for client in clients:
            ask(client, "/items/7")
        for client in clients[:20]:
            client.close()
        assert get(shop.ports[0], "/health").status == 200
        resume(upstream)
        statuses = [hear(client).status for client in clients[20:]]
        for client in clients[20:]:
            client.close()
    assert statuses == [200] * 20


def test_an_upstream_that_is_down_is_a_502_and_is_asked_again(tmp_path: Path) -> None:
    """A failed fetch is answered as an error in JSON, and is not remembered."""
    port = free_port()
    with running_shop(tmp_path, [port]) as shop:
        down = get(shop.ports[0], "/items/7")
        with running_upstream(tmp_path, *AT_ONCE, ports=[port]):
            up = get(shop.ports[0], "/items/7")
        log = shop.stderr.read_text()
    assert down.status == 502
    assert down.body["error"].startswith("upstream: /")
    assert up.status == 200
    assert log == ""


def test_an_upstream_that_ends_in_the_middle_is_a_502_to_every_waiter(tmp_path: Path) -> None:
    """When the upstream is stopped with a fetch in flight, all who share the fetch hear of it."""
    with (
        running_upstream(tmp_path, "--mean", "600") as upstream,
        running_shop(tmp_path, upstream.ports) as shop,
    ):
        clients = [dial(shop.ports[0]) for _ in range(10)]
        for client in clients:
            ask(client, "/items/7")
        wait_until(lambda: counts(upstream)["held"] == 2, what="both fetches are held")
        upstream.process.terminate()
        statuses = [hear(client).status for client in clients]
        for client in clients:
            client.close()
        log = shop.stderr.read_text()
    assert statuses == [502] * 10
    assert log == ""


def test_an_upstream_that_takes_too_long_is_a_502(tmp_path: Path) -> None:
    """SHOP_TIMEOUT_S bounds a fetch."""
    with (
        running_upstream(tmp_path, "--mean", "600") as upstream,
        running_shop(tmp_path, upstream.ports, SHOP_TIMEOUT_S="0.2") as shop,
    ):
        reply = get(shop.ports[0], "/items/7")
    assert (reply.status, reply.body["error"][-17:]) == (502, "no answer in time")


def test_what_is_not_an_item_is_refused(tmp_path: Path) -> None:
    """Ids outside [0, SHOP_ITEMS) are a 404, and what is no number a 422; nothing is fetched."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream:
        with running_shop(tmp_path, upstream.ports, SHOP_ITEMS="10000") as shop:
            ids = ("-1", "10000", "1" * 30, "one", "9999")
            statuses = [get(shop.ports[0], f"/items/{item}").status for item in ids]
        calls = counts(upstream)["products"]
    assert statuses == [404, 404, 404, 422, 200]
    assert calls == 1


def test_a_shop_of_too_few_items_does_not_start(tmp_path: Path) -> None:
    """SHOP_ITEMS below 10,000 is refused at import."""
    command = ["-m", "uvicorn", "shop:app", "--app-dir", str(Path("examples/shop").resolve())]
    port = free_port()
    small = {"SHOP_ITEMS": "9999"}
    with running([*command, "--port", str(port)], [port], tmp_path, small) as program:
        code = program.process.wait(CEILING_S)
        log = program.stderr.read_text()
    assert code != 0
    assert "SHOP_ITEMS is 9999" in log


def test_a_user_is_a_row(tmp_path: Path) -> None:
    """`/users/41` is that row; who has no row is a 404."""
    with running_shop(tmp_path, [free_port()]) as shop:
        found = get(shop.ports[0], "/users/41")
        missing = [get(shop.ports[0], f"/users/{n}").status for n in (10_000, -1, 2**63, -(2**80))]
    expected = {"id": 41, "name": "User 41", "email": "user41@shop.example"}
    assert (200, expected) == (found.status, found.body)
    assert missing == [404] * 4


def test_processes_that_start_together_share_one_users_file(tmp_path: Path) -> None:
    """Two shops started at once on one empty SHOP_DATA both serve every user."""
    data = tmp_path / "not" / "there"

    def start_and_ask(number: int) -> list[int]:
        folder = tmp_path / str(number)
        folder.mkdir()
        with running_shop(folder, [free_port()], SHOP_DATA=str(data)) as shop:
            return [get(shop.ports[0], f"/users/{n}").status for n in (0, 9_999)]

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(start_and_ask, range(2)))
    assert statuses == [[200, 200]] * 2
    assert [file.name for file in data.iterdir()] == ["shop.db"]


def test_data_is_cached(tmp_path: Path) -> None:
    """The second `/data/5` is the first one's answer, without a call."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream:
        with running_shop(tmp_path, upstream.ports) as shop:
            replies = [get(shop.ports[0], "/data/5") for _ in range(2)]
        calls = counts(upstream)["products"]
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].body == replies[1].body
    assert calls == 1


def test_every_shard_gets_its_part(tmp_path: Path) -> None:
    """Records spread over all addresses, and each is fetched from one of them only."""
    with running_upstream(tmp_path, *AT_ONCE, processes=2) as upstream:
        with running_shop(tmp_path, upstream.ports) as shop:
            for item in range(40):
                assert get(shop.ports[0], f"/items/{item}").status == 200
        each = [get(port, "/count").body["products"] for port in upstream.ports]
    assert sum(each) == 40
    assert min(each) >= 10


def test_the_shop_says_which_process_answered(tmp_path: Path) -> None:
    """`/` names the process, and `/health` needs nothing that could be down."""
    with running_shop(tmp_path, [free_port()]) as shop:
        assert shop.process.pid == get(shop.ports[0], "/").body["pid"]
        assert get(shop.ports[0], "/health").body == {"ok": True}
