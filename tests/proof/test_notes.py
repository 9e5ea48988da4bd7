"""What a result notes besides its verdict: how often the kernel could be asked."""

from __future__ import annotations

import pytest

from holdfast.proof import watch
from tests.proof.trials import prove_stack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("share", "is_noted"), [(watch.KERNEL_SHARE, False), (1e-9, True)])
def test_a_kernel_that_was_seldom_asked_is_noted(
    monkeypatch: pytest.MonkeyPatch, share: float, is_noted: bool
) -> None:
    """Where counting its sockets may take next to nothing, few looks of a hold have its count."""
    monkeypatch.setattr(watch, "KERNEL_SHARE", share)
    monkeypatch.setattr(watch, "OPENING_SHARE", share)
    result = prove_stack(slots=1, hold_s=5.0)
    assert (result.hold_s >= 5.0, result.witnesses.kernel is None) == (True, False)
    assert any("kernel's sockets are many" in note for note in result.notes) == is_noted
