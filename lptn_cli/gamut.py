"""Colours outside sRGB, which the network never saw in training, are carried round it."""

from __future__ import annotations

from lptn_cli.affine import FloatImage
from lptn_cli.luma import luma

LEAST_COLOUR = 1e-3
GAMMA = 2.4


def with_the_rest(look: FloatImage, photo: FloatImage, seen: FloatImage) -> FloatImage:
    """The look with what the network did not see of the photo, in the measure in which it leaves colour.

    look: what it made of `seen`; seen: the photo clipped to [0, 1]. All (h, w, 3) in sRGB, whose values below
    0 are linear light and so shrink as GAMMA says where those above shrink.
    """
    outside = photo - seen
    if not outside.any():
        return look
    kept: FloatImage = (_colour(look) / _colour(seen).clip(min=LEAST_COLOUR)).clip(0, 1)
    return look + kept**GAMMA * outside


def _colour(image: FloatImage) -> FloatImage:
    """The distance from grey of the same luma, (h, w, 1)."""
    distance: FloatImage = abs(image - luma(image)).max(axis=2, keepdims=True)
    return distance
