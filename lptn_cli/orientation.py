"""Small images turned upright for the network and back, by EXIF orientation (TIFF 6.0, tag 274).

Photos are never turned. Images are (h, w, c), NumPy arrays or tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T", NDArray[Any], "Tensor")


def turn_upright(image: T, orientation: int) -> T:
    """An image as stored -> as it is to be seen."""
    return _flipped(image.swapaxes(0, 1) if orientation >= 5 else image, orientation)


def turn_back(image: T, orientation: int) -> T:
    """The inverse of `turn_upright`."""
    image = _flipped(image, orientation)
    return image.swapaxes(0, 1) if orientation >= 5 else image


def _flipped(image: T, orientation: int) -> T:
    """The (transposed) image, turned round vertically (3, 4, 7, 8) and horizontally (2, 3, 6, 7)."""
    axes = tuple(axis for axis, which in enumerate(((3, 4, 7, 8), (2, 3, 6, 7))) if orientation in which)
    return np.flip(image, axes) if isinstance(image, np.ndarray) else image.flip(axes)
