"""A look as a linear map of colours for every place of a photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lptn_cli.luma import grey_as

if TYPE_CHECKING:
    from torch import Tensor

FloatImage = NDArray[np.float32]
T = TypeVar("T", FloatImage, "Tensor")
S = TypeVar("S", FloatImage, "Tensor")


@dataclass(frozen=True)
class Affine(Generic[T]):
    """result = terms[0] * red + terms[1] * green + terms[2] * blue + terms[3], at each of (h, w) places.

    terms: (4, h, w, 3) float32, for values in [0, 1], an array or a tensor on any device. The places are the
    centres of a grid over the photo, of whatever size.
    """

    terms: T

    def mapped(self, function: Callable[[T], S]) -> Affine[S]:
        """The same elsewhere: copied, or on another device."""
        return Affine(function(self.terms))

    def grey_as(self, photo: T) -> Affine[T]:
        """The same with every result grey if the photo, (H, W, 3), has no colour: three equal channels."""
        return Affine(grey_as(self.terms, photo))
