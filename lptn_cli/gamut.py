"""Photos in another space than sRGB, the one that the network knows: colours that sRGB has not are carried
round it, and contrast is told in the photo's own measure."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lptn_cli.affine import FloatImage
from lptn_cli.codecs.icc import from_srgb
from lptn_cli.luma import luma

LEAST_COLOUR = 1e-3
GAMMA = 2.4
LEVELS = 1024  # between which curves are told
LEAST_STEP = 0.01


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
    sRGB, and in linear light from 0.08 in the dark to 2.3. Along grey: a channel has one curve.
    """
    levels = np.rint(image.clip(0, 1) * (LEVELS - 1)).astype(np.intp)
    found: FloatImage = _steps_by_level(icc)[levels, np.arange(3)]
    return found


@lru_cache(maxsize=32)
def _steps_by_level(icc: bytes | None) -> FloatImage:
    """(LEVELS, 3), for values from 0 to 1."""
    ramp = np.linspace(0, 1, LEVELS, dtype=np.float32)
    own = from_srgb(np.repeat(ramp[:, None], 3, axis=1)[None], icc)[0]
    slopes = np.gradient(own, ramp, axis=0).clip(LEAST_STEP)
    columns = [np.interp(ramp, own[:, channel], slopes[:, channel]) for channel in range(3)]
    return np.stack(columns, axis=1).astype(np.float32)


def _colour(image: FloatImage) -> FloatImage:
    """The distance from grey of the same luma, (h, w, 1)."""
    distance: FloatImage = abs(image - luma(image)).max(axis=2, keepdims=True)
    return distance
