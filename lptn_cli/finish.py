"""The two passes over the full-resolution photo: shrink it to the native scale, and carry the look back.

With x the photo, s(.) the area-average shrink and u(.) the smooth enlargement back, the network makes s(x) y.
`guided_filter.fit` finds matrices a and offsets b with y ~ a s(x) + b around every place; `finish` computes
    result = u(a) x + u(b)
which, for an a that is constant nearby, is the Laplacian reconstruction with one mask for all finer levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lptn_cli.affine import Affine, FloatImage
from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES

OpenCVError = cv2.error

STRIP_ROWS = 64
# Photos over LONG times as long as broad shrink further, lest the network sees more pixels, down to THIN.
LONG, THIN = 32, 32


def small_size(shape: tuple[int, ...], short_side: int) -> tuple[int, int]:
    """Height and width of a photo whose shorter side becomes `short_side`, if it is more; less in
    long strips, which get as many pixels as one of LONG short sides."""
    long, short = max(shape[:2]), min(shape[:2])
    fewer = min(1.0, max(THIN / short_side, (LONG * short / long) ** 0.5))
    ratio = min(1.0, fewer * short_side / short)
    return max(1, round(shape[0] * ratio)), max(1, round(shape[1] * ratio))


def shrink(pixels: Pixels, short_side: int, threads: int = CORES) -> FloatImage:
    """Area-average shrink to `small_size`; never enlarges.

    pixels: (H, W, 3) uint8 or uint16. Returns (h, w, 3) float32 in [0, 1], whatever the number of threads.
    """
    height, width = small_size(pixels.shape, short_side)
    if (height, width) == pixels.shape[:2]:
        return np.multiply(pixels, 1.0 / np.iinfo(pixels.dtype).max, dtype=np.float32)
    return loops().area_average(pixels, height, width, threads)


def finish(pixels: Pixels, look: Affine[FloatImage], threads: int = CORES) -> Pixels:
    """The look, enlarged, on every pixel, clamped and rounded to a level: a new array like `pixels`.

    pixels: (H, W, 3) uint8 or uint16. There is never a full-size float array.
    """
    height, width = pixels.shape[:2]
    scale = np.float32(np.iinfo(pixels.dtype).max)
    *slopes, offset = (_enlarge_columns(term, width) for term in look.terms)
    lower, fraction = _between_rows(height, len(offset))
    return loops().apply(pixels, [*slopes, offset * scale], lower, fraction, threads)


class Loops(Protocol):
    """The two passes in earnest (fused, or OpenCVLoops where Numba is missing)."""

    def area_average(self, pixels: Pixels, height: int, width: int, threads: int) -> FloatImage: ...
    def apply(
        self, pixels: Pixels, terms: Sequence[FloatImage], lower: NDArray[np.int64], fraction: FloatImage,
        threads: int,
    ) -> Pixels: ...  # fmt: skip


@cache
def loops() -> Loops:
    """The compiled loops, or the same with OpenCV where Numba is missing."""
    try:
        import lptn_cli.fused as fused
    except ImportError:
        return OpenCVLoops()
    return fused


class OpenCVLoops:
    """What `fused` does, six times as slowly, with as many threads as OpenCV likes.

    The small image is rounded to the photo's levels here: 2 % of a look's values differ by 1 to 3 of 255.
    """

    def area_average(self, pixels: Pixels, height: int, width: int, threads: int) -> FloatImage:
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return np.multiply(small, 1.0 / np.iinfo(pixels.dtype).max, dtype=np.float32)

    def apply(
        self, pixels: Pixels, terms: Sequence[FloatImage], lower: NDArray[np.int64], fraction: FloatImage,
        threads: int,
    ) -> Pixels:  # fmt: skip
        result: Pixels = np.empty_like(pixels)
        depth = cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
        small_height = len(terms[0])
        for start in range(0, len(pixels), STRIP_ROWS):
            strip = slice(start, start + STRIP_ROWS)
            first, last = lower[strip][0], min(lower[strip][-1] + 2, small_height)
            weights = np.zeros((len(lower[strip]), last - first), np.float32)
            rows = np.arange(len(weights))
            weights[rows, lower[strip] - first] = 1 - fraction[strip]
            if small_height > 1:
                weights[rows, lower[strip] - first + 1] += fraction[strip]
            *slopes, levels = (_enlarge_rows(term[first:last], weights) for term in terms)
            for slope, channel in zip(slopes, cv2.split(pixels[strip]), strict=True):
                three = cv2.merge([channel.astype(np.float32)] * 3)
                cv2.accumulateProduct(slope, three, levels)
            result[strip] = cv2.add(levels, np.zeros(1), dtype=depth)  # rounds to even and saturates
        return result


def _enlarge_columns(image: FloatImage, width: int) -> FloatImage:
    return cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _enlarge_rows(rows: FloatImage, weights: FloatImage) -> FloatImage:
    """(k, W, 3) and (n, k) -> (n, W, 3): linear interpolation of rows as one small matrix product."""
    k, width, channels = rows.shape
    return (weights @ rows.reshape(k, width * channels)).reshape(-1, width, channels)


def _between_rows(height: int, small_height: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each row of the photo the row of the small image above it, and how far it lies towards the next.

    Centres of pixels are aligned as in cv2.resize: row i lies at (i + 0.5) * small_height / height - 0.5.
    """
    position = (np.arange(height) + 0.5) * (small_height / height) - 0.5
    position = position.clip(0, small_height - 1)
    lower = np.minimum(position.astype(np.int64), max(small_height - 2, 0))
    return lower, (position - lower).astype(np.float32)
