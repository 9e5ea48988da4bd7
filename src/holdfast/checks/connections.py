"""HF104: no program caps requests or connections below the target. Knows no file.

Whatever limit no other law of capacity names is a program's own cap, and this law's.
"""

from __future__ import annotations

from holdfast.checks import backlog, descriptors, memory, ports, processor, tables
from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below, resource_of
from holdfast.model.finding import Finding, Severity

CODE = "HF104"
OTHERWISE = "add processes or hosts, or choose workers that hold many requests at once"
OTHERS = frozenset().union(
    *(law.RESOURCES for law in (descriptors, backlog, ports, memory, processor, tables))
)


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    own = frozenset(resource_of(limit) for limit, _ in subject.walls) - OTHERS
    return below(subject, CODE, own, OTHERWISE)


LAW = Law(
    CODE,
    "a program caps what it holds below the target",
    Severity.ERROR,
    "A server or a proxy takes as many connections or requests at once as it was told to, whatever "
    "the machine could do. nginx counts clients and upstreams together and closes what has sent "
    "nothing yet from 15/16 on; HAProxy and gunicorn let the excess wait; uvicorn answers 503.",
    "nginx: worker_connections >= 1 + listeners + (1 + 1/streams) x requests on the fullest "
    "process x 16/15; HAProxy: maxconn >= requests / streams + idle clients; gunicorn: processes "
    "x worker_connections or threads >= requests",
    "nginx src/core/ngx_connection.c; HAProxy src/haproxy.c; tests/law3 ran them at this wall",
    "Write the number that the finding names. Where several processes share one listening socket "
    "it is what one process needs at worst: all requests.",
    check,
)
