"""Says which interface an app speaks: imports it as a worker would, in a process of its own.

python -m holdfast.worker.spoken FD APP APP_DIR: one JSON line to the descriptor, what `speaks` says
or why the app cannot be served. Serves nothing.
"""

from __future__ import annotations

import os
import sys

from holdfast import wire
from holdfast.worker.failure import Failure
from holdfast.worker.interfaces import speaks
from holdfast.worker.load_app import find_app


def main() -> None:
    """Import, look, say."""
    fd, target, app_dir = int(sys.argv[1]), *sys.argv[2:]
    os.set_inheritable(fd, False)
    sys.path.insert(0, app_dir)
    try:
        app, _ = find_app(target, app_dir)
        said: dict[str, object] = {"type": wire.READY, "interface": speaks(app)}
    except Failure as failure:
        said = failure.as_message(wire.FAILED, wire.STAGE_IMPORT)
    os.write(fd, wire.encode(said))


if __name__ == "__main__":
    main()
