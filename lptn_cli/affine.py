"""A look as a gain and an offset for every pixel of a small image, and the fit that finds them.

Images are (h, w, 3) float32: NumPy arrays, or tensors on any device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatImage = NDArray[np.float32]
T = TypeVar("T", FloatImage, "Tensor")
S = TypeVar("S", FloatImage, "Tensor")

# Variance below which the fit trusts the network's own gain rather than the slope it sees; (0.8 / 255)^2.
FLATNESS = 1e-5


@dataclass(frozen=True)
class Affine(Generic[T]):
    """For every pixel of the small image: result = a * photo + of_luma * luma(photo) + b.

    a, b and of_luma (None where colour stays): (h, w, 3) float32, for values in [0, 1].
    """

    a: T
    b: T
    of_luma: T | None = None

    def mapped(self, function: Callable[[T], S]) -> Affine[S]:
        """The same with its images elsewhere: copied, or on another device."""
        of_luma = None if self.of_luma is None else function(self.of_luma)
        return Affine(function(self.a), function(self.b), of_luma)

    def fading(self, saturation: T) -> Affine[T]:
        """The same for a photo of which only that share of its colour is taken, (h, w, 1) in [0, 1]."""
        return Affine(self.a * saturation, self.b, self.a * (1 - saturation))


def fit_affine(small: T, look: T, gain: T, mean: Callable[[T], T]) -> Affine[T]:
    """Per pixel and channel, a and b of look ~ a * small + b over 3x3 windows.

    small, look: (h, w, 3); gain: (h, w, 1), what `a` tends to where `small` is flat; mean: `window_mean`, or
    the same for tensors. He & Sun, "Fast Guided Filter" (2015), eq. 3-6, with the ridge pulled to `gain`
    instead of zero: texture too fine for the small image lives exactly where it looks flat, and a gain of
    zero would wipe it out.
    """
    mean_small, mean_look = mean(small), mean(look)
    variance = mean(small * small) - mean_small * mean_small
    covariance = mean(small * look) - mean_small * mean_look
    a = (covariance + FLATNESS * gain) / (variance.clip(min=0) + FLATNESS)
    b = mean_look - a * mean_small
    return Affine(mean(a), mean(b))
