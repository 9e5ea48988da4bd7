"""What nginx listens on: the sockets that several `listen` of several servers make. Opens none."""

from __future__ import annotations

import msgspec

from holdfast.model.path import Protocol
from holdfast.model.values import Place, Value
from holdfast.readers import nginx_rows as rows
from holdfast.readers.address import Address, address
from holdfast.readers.amounts import count, seconds
from holdfast.readers.contract import Amount, Fault, Problems, Row
from holdfast.readers.nginx_levels import Level
from holdfast.readers.nginx_text import Directive
from holdfast.readers.text import Word, written


class Socket(msgspec.Struct):
    """A listening socket, as several `listen` in several servers make it."""

    place: Place
    protocol: Protocol
    values: dict[str, Value] = {}
    bound: bool = False


class Sockets:
    """Takes the `listen` of each server; `found` are the sockets by their address."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.found: dict[Address, Socket] = {}

    def of(self, server: Directive, level: Level) -> tuple[Address, ...]:
        """The addresses of a server; without `listen` it is port 80."""
        addresses: list[Address] = []
        for one in level.listens:
            where = self._socket(one, level)
            if where in addresses:
                message = f"`listen {where}` twice in one server: nginx does not start"
                self.problems.add(Fault.REPEATED, message, one.words[0].place, "leave one out")
            else:
                addresses.append(where)
        if not level.listens and level.context == rows.SERVER:
            where = Address("*", 80)
            self.found.setdefault(where, Socket(server.head.place, Protocol.HTTP_1))
            addresses.append(where)
        if not level.name or level.name == "_":
            level.name = f"server {', '.join(str(where) for where in addresses)}"
        else:
            level.name = f"server {level.name}"
        h2 = level.values.get("http2")
        for where in addresses if h2 is not None and h2.value else ():
            self.found[where].protocol = Protocol.HTTP_2
        return tuple(addresses)

    def _socket(self, one: Directive, level: Level) -> Address:
        where = address(one.words[0].text, 80)
        if where.host == "0.0.0.0":
            where = Address("*", where.port)
        plain = Protocol.HTTP_1 if level.context == rows.SERVER else Protocol.TCP
        socket = self.found.setdefault(where, Socket(one.words[0].place, plain))
        for word in one.words[1:]:
            name, _, said = word.text.partition("=")
            socket.bound = socket.bound or name in rows.BOUND
            if name == "http2":
                socket.protocol = Protocol.HTTP_2
            elif name in ("reuseport", "ssl", "proxy_protocol"):
                socket.values[name] = written(name, True, one.said(), word.place)
            elif name == "backlog" and said:
                row = Row(name, frozenset((level.context,)), name, count)
                value = self.problems.lands(row, one.head, (word.after("backlog="),))
                if value is not None:
                    socket.values["backlog"] = value
            elif name == "so_keepalive" and ":" in said:
                self._alive(one, word.after("so_keepalive="), socket)
        return where

    def _alive(self, one: Directive, word: Word, socket: Socket) -> None:
        """The parts of `so_keepalive=idle:every:probes`, each with its own span."""
        start = word.place.start
        for setting, part in zip(rows.ALIVE, word.text.split(":"), strict=False):
            end = start + len(part)
            place = Place(word.place.file, word.place.line, start, end)
            start = end + 1
            amount: Amount = seconds if setting.endswith("_s") else count
            row = Row(setting, rows.LISTENING, setting, amount)
            value = self.problems.lands(row, one.head, (Word(part, place),)) if part else None
            if value is not None:
                socket.values[setting] = value

    def opened(self) -> list[Address]:
        """Those that nginx opens: one for every address takes the place of particular ones."""
        every = {where.port for where in self.found if where.host == "*"}
        return [
            where
            for where, socket in self.found.items()
            if where.path
            or ":" in where.host
            or where.host == "*"
            or socket.bound
            or where.port not in every
        ]
