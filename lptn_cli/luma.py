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


def recoloured(detail: Tensor, change: Tensor) -> Tensor:
    """(n, 3, h, w) -> what it keeps of itself and what its luma adds to each channel: change[:, :1] and
    change[:, 1:] of (n, 4, h, w)."""
    return luma_of_planes(detail) * change[:, 1:] + detail * change[:, :1]
