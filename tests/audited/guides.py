"""The settings of five guides, run as they stand, with ports and folders of their own.

Each listens on one plain socket, as it was measured; what is behind an edge is an app of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.audited.audits import Said, said
from tests.audited.files import Written, written
from tests.law3.pushed import pushed

TEXTS = Path(__file__).parents[1] / "readers/guides"
EXCESS = 60
GEVENT = "gunicorn-digitalocean.txt"
CHANGES = (
    (r"listen \d+[^;]*;", "listen 127.0.0.1:@front@;"),
    (r"bind \*:80", "bind 127.0.0.1:@front@"),
    (r"(/etc/nginx/)(conf.d|sites-enabled)", r"\2"),
    (r"/var/log/nginx/", ""),
    (r"/run/haproxy/", "@run@/"),
    (r"admin.sock", "admin.stats"),
    (r"http \{", "http { @temporary@"),
    (r"10\.9\.0\.(\d):8000", r"127.0.0.1:@host\1@"),
    (r"(?:127\.0\.0\.1|0\.0\.0\.0|localhost):(\d)(\d*)", r"127.0.0.1:@app\1\2@"),
    (r"uvicorn\.workers\.", "uvicorn_worker."),
    (r"main:app", "held_app:asgi"),
)
"""What has to be another: ports, folders, no certificate, and an app that waits."""


class Guide(NamedTuple):
    """Which texts it consists of, by the name of the file that each becomes; what is added.

    `options` are the audit's; `races`: how many are held is a matter of who takes which client.
    """

    shows: str
    texts: dict[str, tuple[str, ...]]
    added: dict[str, str]
    options: tuple[str, ...] = ()
    races: bool = False

    def names(self) -> list[str]:
        """The names of its files."""
        return sorted((*self.texts, *self.added))


APP = "wsgi_app = 'held_app:wsgi'\n"
DEBIAN = ("debian-nginx.conf",)


def _behind_debian(site: str, shows: str) -> Guide:
    texts = {"nginx.conf": DEBIAN, "sites-enabled/site": (site,), "gunicorn.conf.py.txt": (GEVENT,)}
    return Guide(shows, texts, {})


_FIVE = "".join(f"a{n}: uvicorn held_app:asgi --port @app{n}@\n" for n in range(71, 76))
_THREE = "".join(
    f"h{n}: gunicorn -k gevent -w 4 --worker-connections 1000 "
    f"-b 127.0.0.1:@host{n}@ held_app:wsgi\n"
    for n in (1, 2, 3)
)
GUIDES = {
    "digitalocean": _behind_debian("digitalocean.conf", "Debian's nginx before gunicorn gevent"),
    "ovh": _behind_debian("ovh.conf", "Debian's nginx before gunicorn gevent"),
    "linode": Guide(
        "Debian's nginx before gunicorn gevent on three hosts",
        {"nginx.conf": DEBIAN, "sites-enabled/site": ("linode.conf",)},
        {"Procfile": _THREE},
    ),
    "tornado": Guide(
        "its nginx before five apps, 20,000 descriptors",
        {"nginx.conf": ("tornado.conf",)},
        {"Procfile": _FIVE},
        ("--nofile", "20000"),
    ),
    "aws": Guide(
        "four uvicorn workers, 1,024 descriptors each",
        {"start.sh": ("gunicorn-aws.txt",)},
        {},
        races=True,
    ),
    "linode_haproxy": Guide(
        "HAProxy without `maxconn`, 20,000 descriptors, before gunicorn gevent on three hosts",
        {"haproxy.cfg": ("debian-haproxy.cfg", "linode-haproxy.cfg")},
        {"Procfile": _THREE},
        ("--host", "here"),
    ),
}


@contextmanager
def guided(name: str) -> Iterator[Said]:
    """A guide's files with ports of their own, and what the audit says of them."""
    with placed(name, GUIDES[name]) as files:
        yield said(files, *GUIDES[name].options)


@contextmanager
def placed(name: str, guide: Guide) -> Iterator[Written]:
    """A guide's files with ports of their own, gone afterwards."""
    with TemporaryDirectory(prefix="guides-") as folder:
        root = Path(folder) / name
        for target, names in guide.texts.items():
            text = "".join((TEXTS / each).read_text() for each in names)
            for pattern, other in CHANGES:
                text = re.sub(pattern, other, text)
            if target.startswith("gunicorn"):
                text += APP
            if name == "aws":
                text = text.replace("@app8000@", "@front@")
            if name == "tornado":  # its log is nginx's default, which only root may write
                text = text.replace("@temporary@", "@temporary@ access_log access.log;")
            _put(root / target, text)
        for target, text in guide.added.items():
            _put(root / target, text)
        with written(name, 0, root.parent) as files:
            yield files


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def most_held(said: Said) -> dict[str, int]:
    """Push far past what is said, and return how many were held, failed and waited then."""
    with pushed(said, may_wait=True) as clients:
        best = said.audit.holds.best
        while clients.asked < best + EXCESS:
            clients.open(min(100, best + EXCESS - clients.asked))
            clients.settle()
        held, waited = clients.run.in_flight(), clients.waiting()
        return {"held": held, "failed": clients.crowd.failed, "waited": waited}
