"""Photos in another space than sRGB, the one that the network knows: colours that sRGB has not are carried
round it, and contrast is told in the photo's own measure."""

from __future__ import annotations

import numpy as np

from lptn_cli.affine import FloatImage
from lptn_cli.codecs.icc import from_srgb, to_srgb
from lptn_cli.luma import luma

LEAST_COLOUR = 1e-3
GAMMA = 2.4
STEP = 0.01  # of sRGB


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


def steps(image: FloatImage, icc: bytes | None) -> FloatImage:
    """How far each value of an image in that space, (h, w, 3), goes for a step of one in sRGB: 1 if it is
    sRGB, and in linear light from 0.1 in the dark to 2.3."""
    middle = to_srgb(image.clip(0, 1), icc)
    above, below = (from_srgb((middle + way).clip(0, 1), icc) for way in (STEP, -STEP))
    taken = (middle + STEP).clip(0, 1) - (middle - STEP).clip(0, 1)
    found: FloatImage = ((above - below) / taken.clip(STEP)).clip(1e-2, None).astype(np.float32)
    return found


def _colour(image: FloatImage) -> FloatImage:
    """The distance from grey of the same luma, (h, w, 1)."""
    distance: FloatImage = abs(image - luma(image)).max(axis=2, keepdims=True)
    return distance
