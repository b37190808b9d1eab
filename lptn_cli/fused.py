"""The two full-resolution passes as compiled loops (Numba).

Each value is read once, and written once. Where Numba is missing, `finish` does it with OpenCV, six times as
slowly. Compiled code is cached, beside this file or in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES

Rows = NDArray[np.float32]

LEAST_ROWS, LEAST_SMALL_ROWS = 64, 16  # for a thread to be worth its start
_pool = ThreadPoolExecutor(CORES, thread_name_prefix="finish")


def apply(
    pixels: Pixels, terms: Sequence[Rows], lower: NDArray[np.int64], fraction: Rows, threads: int
) -> Pixels:
    """The look on every pixel, clamped and rounded to the nearest level: a new array like `pixels`.

    pixels: (H, W, 3) uint8 or uint16. terms: of an Affine, (h, W, 3) float32 each, the last in levels; for
    row i they are taken between their rows lower[i] and lower[i] + 1 at fraction[i], (H,) each.
    """
    height, width, channels = pixels.shape
    source = pixels.reshape(height, -1)
    flat = [term.reshape(len(term), width * channels) for term in terms]
    result: Pixels = np.empty_like(pixels, order="C")
    into = result.reshape(height, -1)

    def work(part: slice) -> None:
        _mix(source[part], *flat, lower[part], fraction[part], into[part])

    _in_parts(height, max(LEAST_ROWS, -(-height // threads)), work)
    return result


def area_average(pixels: Pixels, height: int, width: int, threads: int) -> Rows:
    """Each small pixel is the mean of what it covers of the photo: (height, width, 3) float32 in [0, 1]."""
    small = np.empty((height, width, pixels.shape[2]), np.float32)
    tall, wide = pixels.shape[:2]

    def work(part: slice) -> None:
        _area_average(pixels, part.start, small[part], tall / height, wide / width)

    _in_parts(height, max(LEAST_SMALL_ROWS, -(-height // threads)), work)
    return np.multiply(small, 1 / np.iinfo(pixels.dtype).max, out=small)


def _in_parts(height: int, step: int, work: Callable[[slice], None]) -> None:
    """Work on all rows, `step` of them in each thread."""
    parts = [slice(start, min(start + step, height)) for start in range(0, height, step)]
    if len(parts) == 1:  # waking a thread takes longer than a tiny photo
        work(parts[0])
        return
    for done in [_pool.submit(work, part) for part in parts]:
        done.result()


def _compiled(function: Callable[..., None]) -> Any:
    try:
        compiled = numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(nogil=True, fastmath=True)(function)

    def call(*arguments: Any) -> None:
        try:
            compiled(*arguments)
        except OSError:  # it is compiled by now, but could not be cached: a full disk
            compiled(*arguments)

    return call


@_compiled
def _mix(
    source: NDArray[Any], of_red: Rows, of_green: Rows, of_blue: Rows, offset: Rows,
    lower: NDArray[np.int64], fraction: Rows, into: NDArray[Any],
) -> None:  # fmt: skip
    top = np.float32(255 if into.itemsize == 1 else 65535)
    n = source.shape[1]
    # of each value's pixel; as levels, which take a fifth less time than floats
    red, green, blue = np.empty(n, source.dtype), np.empty(n, source.dtype), np.empty(n, source.dtype)
    for i in range(source.shape[0]):
        first = lower[i]
        second = min(first + 1, offset.shape[0] - 1)
        f = fraction[i]
        g = np.float32(1) - f
        for k in range(n // 3):  # a loop with a step of 3 takes twice as long
            red[3 * k] = red[3 * k + 1] = red[3 * k + 2] = source[i, 3 * k]
            green[3 * k] = green[3 * k + 1] = green[3 * k + 2] = source[i, 3 * k + 1]
            blue[3 * k] = blue[3 * k + 1] = blue[3 * k + 2] = source[i, 3 * k + 2]
        for j in range(n):
            value = (of_red[first, j] * g + of_red[second, j] * f) * np.float32(red[j])
            value += (of_green[first, j] * g + of_green[second, j] * f) * np.float32(green[j])
            value += (of_blue[first, j] * g + of_blue[second, j] * f) * np.float32(blue[j])
            value += offset[first, j] * g + offset[second, j] * f
            into[i, j] = np.rint(min(max(value, np.float32(0)), top))


@_compiled
def _area_average(pixels: NDArray[Any], first: int, small: Rows, step_y: float, step_x: float) -> None:
    tall, wide, channels = pixels.shape
    for i in range(small.shape[0]):
        above, below = (first + i) * step_y, (first + i + 1) * step_y
        line = np.zeros(wide * channels, np.float32)
        for y in range(int(above), min(int(np.ceil(below)), tall)):
            covered = np.float32(min(below, y + 1) - max(above, y))
            row = pixels[y].reshape(-1)
            for j in range(line.size):
                line[j] += covered * np.float32(row[j])
        for k in range(small.shape[1]):
            left, right = k * step_x, (k + 1) * step_x
            for c in range(channels):
                total = np.float32(0)
                for x in range(int(left), min(int(np.ceil(right)), wide)):
                    covered = np.float32(min(right, x + 1) - max(left, x))
                    total += covered * line[x * channels + c]
                small[i, k, c] = total / np.float32(step_y * step_x)
