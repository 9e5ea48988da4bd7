"""Which ports programs listen on, as the kernel lists its sockets. Must not know who dials where.

Reads /proc/net/tcp and tcp6, which list every connection too: not for every plan.
"""

from __future__ import annotations

from holdfast.model.values import Value, observed
from holdfast.observe.files import Files

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
"""TCP_LISTEN (include/net/tcp_states.h) as the fourth word of a line."""


def read_listeners(root: str = "/") -> Value:
    """`listening_ports`: the TCP ports of this network namespace that are listened on: "22,8000".

    Ascending, each once; empty where nobody listens, None where the tables cannot be read. A
    machine without IPv6 has no second table.
    """
    files, ports, read = Files(root), set[int](), list[str]()
    for path in TABLES:
        text = files.read(path)
        if text.text is None:
            if not text.missing or path == TABLES[0]:
                return observed("listening_ports", None, text.why)
            continue
        read.append(path)
        for line in text.text.splitlines()[1:]:
            words = line.split()
            try:
                if words[3] == LISTENING:
                    ports.add(int(words[1].rpartition(":")[2], 16))
            except (LookupError, ValueError):
                return observed("listening_ports", None, f"{path}: does not say")
    listed = ",".join(map(str, sorted(ports)))
    return observed("listening_ports", listed, ", ".join(read))
