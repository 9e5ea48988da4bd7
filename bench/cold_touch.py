"""Measures what touching memory costs when it is spread over more than the caches hold.

    scripts/bench cold_touch

Reads one byte of a line after another, each place found from the byte before, in anonymous memory
of 4 KiB pages as a heap has. The loop itself is in every figure: what grows from one size to the
next is the miss. Writes bench/results/cold-touch.json.
"""

from __future__ import annotations

import json
import mmap
import platform
import time
from pathlib import Path

TARGET = Path(__file__).parent / "results" / "cold-touch.json"
SIZES_MB = (1, 4, 16, 64, 128, 256, 512, 1_024, 2_048)
LINE, PAGE = 64, 4_096
TOUCHES, TRIES = 300_000, 3
FACTOR, STEP = 2_862_933_555_777_941_757, 3_037_000_493
"""A congruential generator (L'Ecuyer 1999); the byte that was read, always 0, makes it wait."""


def touch_s(size: int) -> float:
    """Seconds a touch, the best of some tries, in `size` bytes (a power of two)."""
    memory = mmap.mmap(-1, size)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for start in range(0, size, PAGE):
        memory[start] = 0
    mask, place, best = size // LINE - 1, 1, float("inf")
    for _ in range(TRIES):
        begun_s = time.perf_counter()
        for _ in range(TOUCHES):
            place = (place * FACTOR + STEP + memory[(place & mask) * LINE]) & 0xFFFFFFFFFFFF
        best = min(best, (time.perf_counter() - begun_s) / TOUCHES)
    memory.close()
    return best


def main() -> None:
    """Measure every size, and write."""
    found = {str(size): round(touch_s(size << 20) * 1e9, 1) for size in SIZES_MB}
    result = {"kernel": platform.release(), "ns_by_mb": found}
    TARGET.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
