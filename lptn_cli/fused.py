"""The two full-resolution passes, and the fit between them, as compiled loops (Numba).

Each value is read once, and written once. Where Numba is missing, `finish` does it with OpenCV, three to four
times as slowly. Compiled code is cached, beside this file or in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lptn_cli.affine import FLATNESS, Affine
from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES
from lptn_cli.luma import LUMA

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


def fit(small: Rows, look: Rows, gain: Rows) -> Affine[Rows]:
    """affine.fit_affine, in one thread and a quarter of its time."""
    flat = small.shape[0], small.shape[1] * small.shape[2]
    a, b = np.empty(flat, np.float32), np.empty(flat, np.float32)
    wide_gain = np.repeat(gain, small.shape[2], axis=2).reshape(flat)
    _fit(small.reshape(flat), look.reshape(flat), wide_gain, a, b)
    means = np.empty_like(a), np.empty_like(b)
    _window_mean(a, means[0])
    _window_mean(b, means[1])
    return Affine(means[0].reshape(small.shape), means[1].reshape(small.shape))


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
def _fit(small: Rows, look: Rows, gain: Rows, a: Rows, b: Rows) -> None:
    flatness, ninth = FLATNESS, 1 / 9
    height, n = small.shape
    # Over three rows, with a pixel of three values more on each side. A variance is a small difference of
    # large means: in float32 it would be noise where the photo is flat.
    sums = np.empty((4, n + 6), np.float64)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(n):
            s0, s1, s2 = np.float64(small[above, j]), np.float64(small[i, j]), np.float64(small[below, j])
            l0, l1, l2 = np.float64(look[above, j]), np.float64(look[i, j]), np.float64(look[below, j])
            sums[0, j + 3] = s0 + s1 + s2
            sums[1, j + 3] = l0 + l1 + l2
            sums[2, j + 3] = s0 * s0 + s1 * s1 + s2 * s2
            sums[3, j + 3] = s0 * l0 + s1 * l1 + s2 * l2
        for k in range(4):  # slices would take a second to compile
            for c in range(3):
                sums[k, c] = sums[k, c + 3]
                sums[k, n + 3 + c] = sums[k, n + c]
        for j in range(n):
            mean_small = (sums[0, j] + sums[0, j + 3] + sums[0, j + 6]) * ninth
            mean_look = (sums[1, j] + sums[1, j + 3] + sums[1, j + 6]) * ninth
            variance = (sums[2, j] + sums[2, j + 3] + sums[2, j + 6]) * ninth - mean_small * mean_small
            covariance = (sums[3, j] + sums[3, j + 3] + sums[3, j + 6]) * ninth - mean_small * mean_look
            a[i, j] = (covariance + flatness * gain[i, j]) / (max(variance, 0.0) + flatness)
            b[i, j] = mean_look - a[i, j] * mean_small


@_compiled
def _window_mean(image: Rows, into: Rows) -> None:
    ninth = np.float32(1 / 9)
    height, n = image.shape
    sums = np.empty(n + 6, np.float32)
    for i in range(height):
        above, below = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(n):
            sums[j + 3] = image[above, j] + image[i, j] + image[below, j]
        for c in range(3):
            sums[c] = sums[c + 3]
            sums[n + 3 + c] = sums[n + c]
        for j in range(n):
            into[i, j] = (sums[j] + sums[j + 3] + sums[j + 6]) * ninth


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
