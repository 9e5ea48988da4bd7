"""What the full groups share with the tests of stacks."""

from tests.stack.conftest import mark

__all__ = ["mark"]
