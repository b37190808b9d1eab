"""The full-resolution pass as one compiled loop (Numba): each value is read once and written once.

Where Numba is missing, `finish` does the same with OpenCV, four times as slowly. Compiled code is cached,
beside this file or in the user's cache folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lptn_cli.codecs.image import Pixels

Rows = NDArray[np.float32]

LEAST_ROWS = 64  # for a thread to be worth its start
_threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="finish")


def multiply_add(pixels: Pixels, a: Rows, b: Rows, lower: NDArray[np.int64], fraction: Rows) -> Pixels:
    """pixels * a + b, clamped and rounded to the nearest level: a new array of the same shape and dtype.

    pixels: (H, W, 3) uint8 or uint16. a, b: (h, W, 3) float32, b in levels; for row i they are taken between
    their rows lower[i] and lower[i] + 1 at fraction[i], (H,) each.
    """
    height, width, channels = pixels.shape
    flat = (len(a), width * channels)
    source, wide_a, wide_b = pixels.reshape(height, -1), a.reshape(flat), b.reshape(flat)
    result: Pixels = np.empty_like(pixels, order="C")
    into = result.reshape(height, -1)
    step = max(LEAST_ROWS, -(-height // _threads._max_workers))

    def work(start: int) -> None:
        part = slice(start, start + step)
        _rows(source[part], wide_a, wide_b, lower[part], fraction[part], into[part])

    for done in [_threads.submit(work, start) for start in range(0, height, step)]:
        done.result()
    return result


def _compiled(function: Callable[..., None]) -> Any:
    try:
        return numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(nogil=True, fastmath=True)(function)


@_compiled
def _rows(
    source: NDArray[Any], a: Rows, b: Rows, lower: NDArray[np.int64], fraction: Rows, into: NDArray[Any]
) -> None:
    top = np.float32(255 if into.itemsize == 1 else 65535)
    for i in range(source.shape[0]):
        first = lower[i]
        second = min(first + 1, a.shape[0] - 1)
        f = fraction[i]
        g = np.float32(1) - f
        for j in range(source.shape[1]):
            gain = a[first, j] * g + a[second, j] * f
            value = np.float32(source[i, j]) * gain + (b[first, j] * g + b[second, j] * f)
            into[i, j] = np.rint(min(max(value, np.float32(0)), top))
