"""What the guides' settings hold at once, from their files: the numbers that were measured.

The files say the guides' settings in our own words; figures are of two cores and Debian's main
files. Nobody knows what an app's own program limits, so that Tornado's edge alone decides.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from holdfast.model.limit import Act, Holds, Limit
from holdfast.model.path import Count, Demand, Host, Kind, Protocol
from holdfast.model.values import assumed
from holdfast.programs.catalog import path_walls
from holdfast.readers.commands import READER as COMMANDS
from holdfast.readers.contract import Read
from holdfast.readers.gunicorn import READER as GUNICORN
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.join import Way, join
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.text import Given, Text
from tests.readers.joined import hops

DEMAND = Demand(1_000, (Kind("held", 1.0, 8.0),))
GUIDES = Path(__file__).parent / "guides"
VERSIONS = {"nginx": "1.22.1", "haproxy": "2.6.12"}
GEVENT = GUNICORN.read(
    Text("gunicorn_config.py", (GUIDES / "gunicorn-digitalocean.txt").read_text()), Given()
)
BEHIND = {
    "digitalocean.conf": GEVENT,
    "ovh.conf": GUNICORN.read(
        Text("gunicorn_config.py", (GUIDES / "gunicorn-ovh.txt").read_text()), Given()
    ),
    "linode.conf": COMMANDS.read(
        Text("start.sh", (GUIDES / "gunicorn-linode.txt").read_text()), Given()
    ),
}
"""What each guide has behind its nginx."""
FREE = hops("app.hop", "app another 4 0.0.0.0:8000")
FIVE = hops("app.hop", "".join(f"tornado{port} tornado 1 *:{port}\n" for port in range(71, 76)))


def said(name: str) -> str:
    return (GUIDES / name).read_text()


def site(text: str) -> Read:
    """The site within Debian's nginx.conf."""
    files = {"nginx.conf": said("debian-nginx.conf"), "sites-enabled/site": text}
    return NGINX.read(Text("nginx.conf", files["nginx.conf"]), Given(files))


def ways(*reads: Read, cores: float = 2.0) -> tuple[Way, ...]:
    host = Host("here", Count(), cores, 2**34, (assumed("nofile_hard", 20_000, "measured so"),))
    return join(reads, host, VERSIONS)


def narrowest(way: Way, streams: float = 1.0) -> tuple[Limit, Holds]:
    """The wall of requests that last 8 s, so many on each client connection."""
    return path_walls(way.path, msgspec.structs.replace(DEMAND, streams=streams))[0]


@pytest.mark.parametrize("name", ["digitalocean.conf", "ovh.conf", "linode.conf"])
def test_a_guide_behind_debians_nginx_answers_766(name: str) -> None:
    """Two processes of 768 connections: 2 x floor((768 - 1 - 1 listener) / 2), onset 718."""
    (way,) = ways(site(said(name)), BEHIND[name])
    limit, holds = narrowest(way)
    assert (limit.hop, limit.resource) == ("nginx", "worker_connections")
    assert (holds.best, holds.onset) == (766, 718)
    assert holds.sure <= holds.onset
    place = limit.inputs[0].place
    assert place is not None
    assert (place.file, place.line) == ("nginx.conf", 4)


def test_a_second_listener_takes_a_place_of_each_process() -> None:
    """With the redirect on port 80 that the guide has, each process answers one fewer."""
    redirect = "server { listen 80; location / { return 301 https://$host$request_uri; } }\n"
    (way,) = ways(site(redirect + said("digitalocean.conf")), GEVENT)
    assert narrowest(way)[1].best == 764


def test_the_tornado_guide_answers_511() -> None:
    """One process of 1,024 connections before five servers: floor((1024 - 2) / 2), onset 479."""
    text = said("tornado.conf")
    (way,) = ways(NGINX.read(Text("nginx.conf", text), Given()), FIVE)
    limit, holds = narrowest(way)
    assert (limit.resource, holds.best, holds.onset) == ("worker_connections", 511, 479)
    assert way.path.unjoined == ()
    assert [hop.processes for hop in way.path.hops if hop.program == "tornado"] == [5]


def test_http2_clients_share_connections() -> None:
    """With 50 streams a connection about 1,500 are answered: 2 x (766 less what clients take)."""
    (way,) = ways(site(said("digitalocean.conf")), GEVENT)
    assert way.clients is Protocol.HTTP_2
    assert narrowest(way, streams=50)[1].best == pytest.approx(1_500, rel=0.01)


def test_more_cores_raise_the_edge() -> None:
    """`worker_processes auto` on 16 cores: eight times what two cores answer."""
    (way,) = ways(site(said("digitalocean.conf")), FREE, cores=16)
    assert narrowest(way)[1].best == 16 * 383


def test_gunicorns_cap_is_the_next_wall_and_lets_the_rest_wait() -> None:
    """Four gevent workers of 1,000: all 4,000 at once, alone and as the most behind 16 cores."""
    (alone,) = ways(GEVENT)
    limit, holds = narrowest(alone)
    assert (limit.resource, holds.sure, holds.best) == ("worker_connections", 4_000, 4_000)
    assert limit.full.act is Act.QUEUES
    (behind,) = ways(site(said("digitalocean.conf")), GEVENT, cores=16)
    assert min(holds.best for _, holds in path_walls(behind.path, DEMAND)) == 4_000


def test_uvicorn_workers_of_1024_descriptors_hold_between_sure_and_best() -> None:
    """3,672 were measured: four workers race for clients, one full alone, all full at best."""
    unit = hops("unit.hop", "shell gunicorn around nofile=1024")
    read = COMMANDS.read(Text("start.sh", said("gunicorn-aws.txt")), Given())
    (way,) = ways(read, unit)
    limit, holds = narrowest(way)
    assert (limit.resource, limit.full.act) == ("descriptors", Act.CLOSES)
    assert (holds.sure, holds.best) == (1_024 - 17, 4 * (1_024 - 17))
    assert holds.sure < 3_672 < holds.best


def test_haproxy_without_maxconn_has_half_of_its_descriptors() -> None:
    """Of 20,000: less 10, a listener, 3 checks, 11 of the command socket and 6 of two threads."""
    text = said("debian-haproxy.cfg") + said("linode-haproxy.cfg")
    (way,) = ways(HAPROXY.read(Text("haproxy.cfg", text), Given()), GEVENT)
    limit, holds = narrowest(way)
    assert (limit.hop, holds.best) == ("haproxy", (20_000 - 31) // 2)


def test_processes_that_share_an_address_share_its_ports() -> None:
    """Four processes on one port are dialled from one range of ports, not from four."""
    ports = (assumed("port_low", 32_768, "Linux"), assumed("port_high", 60_999, "Linux"))
    host = Host("here", Count(), 2.0, 2**34, ports)
    app = hops("app.hop", "app gunicorn 4 0.0.0.0:8000")
    (way,) = join([site(said("ovh.conf")), app], host, VERSIONS)
    demand = Demand(1_000, (Kind("held", 1.0, 8.0),))
    walls = {limit.resource: holds for limit, holds in path_walls(way.path, demand)}
    assert walls["ports to app"].best == 28_232


def test_what_takes_the_place_of_a_guides_number_decides() -> None:
    """Other numbers in the file, other names and another order: the same formula holds."""
    text = said("tornado.conf").replace("1024", "302").replace("listen 70", "listen 7070")
    (way,) = ways(NGINX.read(Text("edge.conf", text), Given()), FIVE)
    assert narrowest(way)[1].best == (302 - 2) // 2
