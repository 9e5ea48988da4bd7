"""What the full groups share with the tests of stacks."""

from tests.stack.conftest import mark, short_path

__all__ = ["mark", "short_path"]
