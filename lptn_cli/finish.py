"""The two passes over the full-resolution photo: shrink it to the native scale, and carry the look back.

With x the photo, s(.) the area-average shrink and u(.) the smooth enlargement back, the network makes s(x) y.
`fit` finds a, b with y ~ a * s(x) + b around every pixel of the small image, and `finish` computes
    result = u(a) * x + u(b)
which, for a gain that is constant nearby, is the Laplacian reconstruction with one mask for all finer levels.
Where detail loses colour, x is faded first: a * fade(x, s) is a s * x + a (1 - s) * luma(x).
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lptn_cli.affine import Affine, FloatImage, fit_affine
from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES
from lptn_cli.luma import luma

OpenCVError = cv2.error

STRIP_ROWS = 64


def small_size(shape: tuple[int, ...], short_side: int) -> tuple[int, int]:
    """Height and width of a photo whose shorter side becomes `short_side`, if it is more."""
    ratio = min(1.0, short_side / min(shape[:2]))
    return max(1, round(shape[0] * ratio)), max(1, round(shape[1] * ratio))


def shrink(pixels: Pixels, short_side: int, threads: int = CORES) -> FloatImage:
    """Area-average shrink so that the shorter side is `short_side`; never enlarges.

    pixels: (H, W, 3) uint8 or uint16. Returns (h, w, 3) float32 in [0, 1], whatever the number of threads.
    """
    height, width = small_size(pixels.shape, short_side)
    if (height, width) == pixels.shape[:2]:
        return np.multiply(pixels, 1.0 / np.iinfo(pixels.dtype).max, dtype=np.float32)
    return loops().area_average(pixels, height, width, threads)


def fit(small: FloatImage, look: FloatImage, gain: FloatImage) -> Affine[FloatImage]:
    """`fit_affine` of arrays."""
    return loops().fit(small, look, gain)


def finish(pixels: Pixels, look: Affine[FloatImage], threads: int = CORES) -> Pixels:
    """The look, enlarged, on every pixel, clamped and rounded to a level: a new array like `pixels`.

    pixels: (H, W, 3) uint8 or uint16. There is never a full-size float array.
    """
    height, width = pixels.shape[:2]
    scale = np.float32(np.iinfo(pixels.dtype).max)
    of_luma = None if look.of_luma is None else _enlarge_columns(look.of_luma, width)
    wide = Affine(_enlarge_columns(look.a, width), _enlarge_columns(look.b * scale, width), of_luma)
    lower, fraction = _between_rows(height, len(look.a))
    return loops().apply(pixels, wide, lower, fraction, threads)


class Loops(Protocol):
    """The two passes in earnest (fused, or OpenCVLoops where Numba is missing)."""

    def area_average(self, pixels: Pixels, height: int, width: int, threads: int) -> FloatImage: ...
    def fit(self, small: FloatImage, look: FloatImage, gain: FloatImage) -> Affine[FloatImage]: ...
    def apply(
        self, pixels: Pixels, look: Affine[FloatImage], lower: NDArray[np.int64], fraction: FloatImage,
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
    """What `fused` does, three to four times as slowly, with as many threads as OpenCV likes.

    The small image is rounded to the photo's levels here: 2 % of a look's values differ by 1 to 3 of 255.
    """

    def area_average(self, pixels: Pixels, height: int, width: int, threads: int) -> FloatImage:
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return np.multiply(small, 1.0 / np.iinfo(pixels.dtype).max, dtype=np.float32)

    def fit(self, small: FloatImage, look: FloatImage, gain: FloatImage) -> Affine[FloatImage]:
        return fit_affine(small, look, gain, window_mean)

    def apply(
        self, pixels: Pixels, look: Affine[FloatImage], lower: NDArray[np.int64], fraction: FloatImage,
        threads: int,
    ) -> Pixels:  # fmt: skip
        result: Pixels = np.empty_like(pixels)
        depth = cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
        for start in range(0, len(pixels), STRIP_ROWS):
            strip = slice(start, start + STRIP_ROWS)
            first, last = lower[strip][0], min(lower[strip][-1] + 2, len(look.a))
            weights = np.zeros((len(lower[strip]), last - first), np.float32)
            rows = np.arange(len(weights))
            weights[rows, lower[strip] - first] = 1 - fraction[strip]
            if len(look.a) > 1:
                weights[rows, lower[strip] - first + 1] += fraction[strip]
            gain, offset = (_enlarge_rows(x[first:last], weights) for x in (look.a, look.b))
            if look.of_luma is not None:
                levels = luma(pixels[strip].astype(np.float32))
                offset += _enlarge_rows(look.of_luma[first:last], weights) * levels
            scaled = cv2.multiply(pixels[strip], gain, dtype=cv2.CV_32F)
            result[strip] = cv2.add(scaled, offset, dtype=depth)  # rounds to even and saturates
        return result


def window_mean(image: FloatImage) -> FloatImage:
    """The mean of the 3x3 window of every pixel of (h, w, c); at the edge its pixels count twice."""
    return cv2.blur(image, (3, 3), borderType=cv2.BORDER_REFLECT)  # type: ignore[return-value]


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
