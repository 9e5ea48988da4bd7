"""What the stacks need of a machine: both edges and the servers, and root for their networks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
MISSING = [
    *(name for name in ("nginx", "haproxy", "setpriv") if shutil.which(name) is None),
    *(
        name
        for name in ("gunicorn", "uvicorn", "hypercorn", "granian")
        if not (BIN / name).exists()
    ),
]

needs = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def skip_without_root(name: str) -> None:
    """Skip the test of a stack that needs what only root may make: a network of its own."""
    if name.startswith("sysctl") and os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
