"""Proves a silent server where local ports are few, in a network of its own; prints the result.

Run by tests in a namespace; exits with 77 where the ports cannot be narrowed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.proof.result import encode
from tests.proof import trials

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def main() -> None:
    """Narrow, prove, print."""
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        RANGE.write_text("40000 40050")
    except (OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        sys.exit(77)
    with trials.silent_server() as port:
        wanted = trials.plan(port, processes=1, open_ceiling_s=3.0, grace_s=0.0)
        result = trials.prove(wanted, in_flight=lambda: 0)
    sys.stdout.buffer.write(encode(result))


if __name__ == "__main__":
    main()
