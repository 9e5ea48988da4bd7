"""What is joined in a case: every file by its reader; `.hop` files stand for programs in short.

A line of those is a hop's name, its program, its processes, and where it listens, such as
`shop gunicorn 4 127.0.0.1:8000 unix:/run/shop.sock keep_alive_s=2`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from holdfast.model.path import Count, Host, Protocol, Spread
from holdfast.model.values import Place, Value, assumed
from holdfast.readers.address import address
from holdfast.readers.catalog import recognised
from holdfast.readers.contract import Around, Found, Listen, Processes, Read
from holdfast.readers.join import Way, join
from holdfast.readers.text import Text
from holdfast.testing.cases import Case, load, load_all, renew
from holdfast.testing.shown import shown_way

FOLDER = Path(__file__).parent / "join"
HERE = Host("here", Count(), 2.0, 2**34)


def cases() -> tuple[Case, ...]:
    return load_all(FOLDER, "nginx.conf")


def reads(case: Case) -> list[Read]:
    """Every file that no other includes, read; in the order of the case."""
    made: list[Read] = []
    taken: set[str] = set()
    for name, said in case.files.items():
        if name in taken:
            continue
        if name.endswith(".hop"):
            made.append(hops(name, said))
            continue
        text = Text(name, said)
        reader = recognised(text)
        assert reader is not None, f"{case.name}: nobody reads {name}"
        made.append(reader.read(text, case.given))
        taken |= set(made[-1].files)
    return made


def hops(name: str, said: str) -> Read:
    """The hops of a `.hop` file: one a line."""
    found, around = [], []
    for number, line in enumerate(said.splitlines(), 1):
        place = Place(name, number, 0, 1)
        own, program, count, *rest = line.split()
        values = tuple(value(word) for word in rest if "=" in word)
        if count == "around":
            around.append(Around(own, program, values))
            continue
        many = assumed("processes", int(count), "in short")
        listens = tuple(
            Listen(address(word), Protocol.HTTP_1, place) for word in rest if "=" not in word
        )
        found.append(
            Found(own, program, Processes(0, int(count), many), values, listens, shares=Spread.RACE)
        )
    return Read(tuple(found), around=tuple(around))


def value(word: str) -> Value:
    setting, _, said = word.partition("=")
    return assumed(setting, float(said), "in short")


def ways(case: Case, cores: float = 2.0) -> tuple[Way, ...]:
    """The ways of a case, on a host of two cores."""
    host = Host("here", Count(), cores, 2**34)
    return join(reads(case), host, {"nginx": "1.22.1", "haproxy": "2.6.12"})


def answer(case: Case) -> str:
    return "".join(shown_way(way) for way in ways(case))


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.case")):
        if path.stem in sys.argv[1:] or not sys.argv[1:]:
            renew(path, answer(load(path, "nginx.conf")))
