"""How late a loop is: what one word says of a timer that comes late, and of one that does not."""

from __future__ import annotations

import pytest

from holdfast.wire import LAG_US, WORDS_PER_ROW
from holdfast.worker import lag
from holdfast.worker.lag import EVERY_S, Lag


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


def test_a_late_timer_shows_at_once_and_fades(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause is written whole, half of it a beat later, and so on until the next one."""
    clock = Clock()
    monkeypatch.setattr(lag, "time", clock)
    words = memoryview(bytearray(8 * WORDS_PER_ROW)).cast("Q")
    late, seen = Lag(words), []
    for late_s in (0.0, 0.5, 0.0, 0.0, 0.3, -0.0004):
        clock.now_s += late.next_s() + late_s
        late.came()
        seen.append(words[LAG_US] / 1e6)
    assert seen == pytest.approx([0.0, 0.5, 0.25, 0.125, 0.3, 0.15], abs=1e-5)
    assert EVERY_S >= 0.25
