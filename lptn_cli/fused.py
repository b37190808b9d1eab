"""The two full-resolution passes as compiled loops (Numba): each value is read once, and written once.

Where Numba is missing, `finish` does it with OpenCV, three to four times as slowly. Compiled code is cached,
beside this file or in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES
from lptn_cli.luma import LUMA

if TYPE_CHECKING:
    from lptn_cli.finish import Affine

Rows = NDArray[np.float32]

LEAST_ROWS, LEAST_SMALL_ROWS = 64, 16  # for a thread to be worth its start
_pool = ThreadPoolExecutor(CORES, thread_name_prefix="finish")


def apply(
    pixels: Pixels, look: Affine[Rows], lower: NDArray[np.int64], fraction: Rows, threads: int
) -> Pixels:
    """The look on every pixel, clamped and rounded to the nearest level: a new array like `pixels`.

    pixels: (H, W, 3) uint8 or uint16. look: (h, W, 3) float32, `b` in levels; for row i it is taken between
    its rows lower[i] and lower[i] + 1 at fraction[i], (H,) each.
    """
    height, width, channels = pixels.shape
    flat = (len(look.a), width * channels)
    source, a, b = pixels.reshape(height, -1), look.a.reshape(flat), look.b.reshape(flat)
    of_luma = None if look.of_luma is None else look.of_luma.reshape(flat)
    result: Pixels = np.empty_like(pixels, order="C")
    into = result.reshape(height, -1)

    def work(part: slice) -> None:
        if of_luma is None:
            _multiply_add(source[part], a, b, lower[part], fraction[part], into[part])
        else:
            _fade_multiply_add(source[part], a, of_luma, b, lower[part], fraction[part], into[part])

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
def _multiply_add(
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


@_compiled
def _fade_multiply_add(
    source: NDArray[Any], a: Rows, of_luma: Rows, b: Rows, lower: NDArray[np.int64], fraction: Rows,
    into: NDArray[Any],
) -> None:  # fmt: skip
    top = np.float32(255 if into.itemsize == 1 else 65535)
    red, green, blue = np.float32(LUMA[0]), np.float32(LUMA[1]), np.float32(LUMA[2])
    luma = np.empty(source.shape[1], np.float32)  # of each value's pixel
    for i in range(source.shape[0]):
        first = lower[i]
        second = min(first + 1, a.shape[0] - 1)
        f = fraction[i]
        g = np.float32(1) - f
        for k in range(source.shape[1] // 3):  # a loop with a step of 3 takes twice as long
            y = red * np.float32(source[i, 3 * k])
            y += green * np.float32(source[i, 3 * k + 1]) + blue * np.float32(source[i, 3 * k + 2])
            luma[3 * k] = luma[3 * k + 1] = luma[3 * k + 2] = y
        for j in range(source.shape[1]):
            gain = a[first, j] * g + a[second, j] * f
            value = np.float32(source[i, j]) * gain + (b[first, j] * g + b[second, j] * f)
            value += luma[j] * (of_luma[first, j] * g + of_luma[second, j] * f)
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
