"""What the stacks need of a machine: both edges, and root for a network of their own."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.law3.stacks import Stack

MISSING = [name for name in ("nginx", "haproxy", "setpriv") if shutil.which(name) is None]

needs = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def skip_without_root(stack: Stack) -> None:
    """Skip the test of a stack that needs what only root may make."""
    if stack.path.hosts[0].get("port_low") and os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
