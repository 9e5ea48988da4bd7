"""What rules of `http-request` say of bodies, of who may wait, and of timeouts. Reads no text."""

from __future__ import annotations

import msgspec

from holdfast.model.values import SOMETIMES, Value
from holdfast.readers import haproxy_rows as rows
from holdfast.readers.amounts import count, haproxy_seconds
from holdfast.readers.contract import Fault, Problems, Row
from holdfast.readers.haproxy_text import Line
from holdfast.readers.text import written

FULL = ("queue(", "be_conn_free(")
"""What rules ask of a backend: the requests that wait for its servers, and places that are free."""
CONDITION = frozenset(("if", "unless"))


class Timed(msgspec.Struct, frozen=True):
    """A timeout that a rule sets: for every request (`always`), or for those that it picks."""

    value: Value
    always: bool


def ruled(line: Line, problems: Problems) -> dict[str, Value]:
    """What a rule says of bodies and queues, by setting.

    The largest body that is not denied, whether the body is waited for, how many may wait.
    """
    said = [word.text for word in line.words[1:]]
    if said[:1] == ["wait-for-body"] and not CONDITION & set(said):
        waits = written("request_buffering", True, line.said(), line.words[1].place)
        return {"request_buffering": waits}
    if said[:2] == ["deny", "deny_status"] and (value := _room(line, said, problems)) is not None:
        return {"queue_room": value}
    if said[:1] == ["deny"] and "req.body_size" in said:
        at = said.index("req.body_size")
        if said[at + 1 : at + 2] == ["gt"] and len(said) > at + 2:
            row = Row("http-request deny", rows.PROXIES, "max_body", count)
            value = problems.lands(row, line.head, (line.words[at + 3],))
            return {} if value is None else {"max_body": value}
    return {}


def _room(line: Line, said: list[str], problems: Problems) -> Value | None:
    """How many may wait for a server before others are told: so many, or none."""
    at = next((at for at, word in enumerate(said) if word.startswith(FULL)), len(said))
    if said[at + 1 : at + 3] == ["le", "0"] and said[at].startswith(FULL[1]):
        return written("queue_room", 0, line.said(), line.words[at + 3].place)
    if said[at + 1 : at + 2] == ["ge"] and len(said) > at + 2:
        row = Row("http-request deny", rows.PROXIES, "queue_room", count)
        return problems.lands(row, line.head, (line.words[at + 3],))
    return None


def timed(line: Line, kind: str, problems: Problems) -> Timed | None:
    """The timeout that `http-request set-timeout` sets in a section of a `kind`, if it sets one.

    None where that is no such rule, where it may not stand, or what only a request knows.
    """
    said = [word.text for word in line.words[1:]]
    if said[:1] != ["set-timeout"] or len(said) < 3 or said[1] not in rows.SET_TIMEOUTS:
        return None
    where, amount = rows.SET_TIMEOUTS[said[1]], line.words[3]
    if kind not in where:
        message = f"`http-request set-timeout {said[1]}` has no effect in a `{kind}`"
        hint = f"it belongs in {' or '.join(f'`{name}`' for name in sorted(where))}"
        problems.add(Fault.CONTEXT, message, line.words[1].place, hint)
        return None
    if not amount.text[:1].isdigit():
        message = f"`{amount.text}` is a timeout that only a request knows"
        problems.add(Fault.UNKNOWN_VALUE, message, amount.place)
        return None
    always = not CONDITION & set(said[3:])
    lands = f"{'' if always else SOMETIMES}timeout_{said[1]}_s"
    row = Row("http-request set-timeout", where, lands, haproxy_seconds)
    value = problems.lands(row, line.head, (amount,))
    if value is None:
        return None
    return Timed(msgspec.structs.replace(value, why=line.said()), always)
