"""Luma, Rec. 601 as in JPEG: brightness as RGB values tell it, for arrays and tensors of either layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T", NDArray[np.float32], "Tensor")

LUMA = (0.299, 0.587, 0.114)
LEAST_COLOUR = 0.5 / 255  # difference of two channels


def luma(image: T) -> T:
    """(..., 3) -> (..., 1)."""
    weighed: T = LUMA[0] * image[..., :1] + LUMA[1] * image[..., 1:2] + LUMA[2] * image[..., 2:]
    return weighed


def luma_of_planes(image: Tensor) -> Tensor:
    """(n, 3, h, w) -> (n, 1, h, w)."""
    return LUMA[0] * image[:, :1] + LUMA[1] * image[:, 1:2] + LUMA[2] * image[:, 2:]


def grey_as(look: T, photo: T) -> T:
    """The look, (..., 3), without colour if the photo, (h, w, 3), has none anywhere."""
    grey = abs(photo - luma(photo)).max() <= LEAST_COLOUR  # no `if`: nothing need come back from a GPU
    chosen: T = grey * luma(look) + ~grey * look
    return chosen


def fade_planes(image: Tensor, saturation: Tensor) -> Tensor:
    """(n, 3, h, w) with that share, (n, 1, h, w) and 0 to 1, of its colour left; luma stays."""
    return luma_of_planes(image) * (1 - saturation) + image * saturation
