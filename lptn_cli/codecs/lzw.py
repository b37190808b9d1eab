"""What imagecodecs takes on trust in a TIFF's LZW stream (TIFF 6.0, section 13), looked at before it does.

Behind a Clear code the table is empty, so that a byte must follow. imagecodecs 2026.3.6 looks any other code
up in places of the table that were never set, and the process dies of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CLEAR, _END, _FIRST = 256, 257, 258
_MOST = 5120 - _FIRST + 2  # codes behind a Clear code, after which imagecodecs gives up
_FEW = 32  # codes that are looked at first, as Clear codes may be near to each other
_LEAST = 64  # bytes from one Clear code to the next, on average; a full table takes a hundred times as many

Ints = NDArray[np.int64]


class _Layout:
    """Where codes lie behind a Clear code. The first is a byte, each further one also fills a place of the
    table. They get wider one place early; in the form before TIFF 6.0 in time, and low bits come first."""

    def __init__(self, *, old: bool) -> None:
        places = _FIRST + np.maximum(np.arange(_MOST) - 1, 0)
        sizes = [size - (not old) for size in (512, 1024, 2048)]
        widths: Ints = 9 + np.searchsorted(sizes, places, "right")
        self.stops: Ints = np.cumsum(widths)  # in bits
        self._masks = (1 << widths).astype(np.int32) - 1
        begins = [self.stops - widths + phase for phase in range(8)]  # by where in a byte the first one lies
        self._bytes = [begin >> 3 for begin in begins]
        self._shifts = [
            ((begin & 7) if old else 24 - (begin & 7) - widths).astype(np.int32) for begin in begins
        ]
        self._order = (0, 8, 16) if old else (16, 8, 0)

    def codes(self, samples: NDArray[np.uint8], at: int, most: int) -> NDArray[np.int32]:
        """The codes from bit `at` on, as many as there are; three bytes follow the last one."""
        count = min(most, int(np.searchsorted(self.stops, 8 * (len(samples) - 3) - at, "right")))
        places, shifts = self._bytes[at & 7][:count], self._shifts[at & 7][:count]
        if not count:
            return shifts
        some = samples[at >> 3 : (at >> 3) + int(places[-1]) + 3].astype(np.int32)
        first, second, third = self._order
        three = some[:-2] << first | some[1:-1] << second | some[2:] << third
        codes: NDArray[np.int32] = three[places] >> shifts & self._masks[:count]
        return codes


_LAYOUTS = {old: _Layout(old=old) for old in (False, True)}


def is_sound(data: bytes) -> bool:
    """Whether a byte follows every Clear code, of which there are no more than a photo has."""
    layout = _LAYOUTS[data[:1] == b"\0"]  # what begins otherwise than with a Clear code is not read
    samples = np.frombuffer(data + bytes(3), np.uint8)
    at = 9
    for _ in range(len(data) // _LEAST + 16):
        for most in (_FEW, _MOST):
            codes = layout.codes(samples, at, most)
            marks = np.flatnonzero(codes >> 1 == _CLEAR >> 1)  # Clear, and the end
            if len(marks):
                break
        if len(codes) and codes[0] >= _FIRST:
            return False
        if not len(marks) or codes[marks[0]] == _END:
            return True
        at += int(layout.stops[marks[0]])
    return False
