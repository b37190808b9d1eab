"""How far a look goes: from the photo (0) in a straight line to the look (1) and beyond (1.5), never clipped.

Beyond 1 a value that would use up more than half of its room to black or white slows down and stays inside:
skies that are dark already do not become holes. Images are (h, w, 3) float32, RGB in [0, 1].
"""

from __future__ import annotations

import numpy as np

from lptn_cli.finish import FloatImage

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601, as in JPEG
LUMA_FLOOR = 0.02  # keeps the luma ratio finite in black
LEAST_ROOM = 1e-4


def blend(photo: FloatImage, look: FloatImage, light: float, color: float) -> FloatImage:
    """Move from photo to look by `light` in brightness and `color` in colour, 0 to 1.5 each.

    Brightness is what scaling all channels by one ratio of luma does; colour is the rest. With light == color
    == s this is photo + s * (look - photo), but for what beyond 1 comes near black or white.
    """
    whole = _straight(photo, look, min(light, 1), min(color, 1))
    if max(light, color) <= 1:
        return whole
    further = _straight(photo, look, light, color)
    return _slowed(whole, further, np.where(further < whole, whole, 1 - whole))


def blend_gain(gain: FloatImage, light: float) -> FloatImage:
    """The gain of fine detail at that strength: 1 at strength 0, not turned round beyond 1."""
    straight: FloatImage = 1 + np.float32(light) * (gain - 1)
    if light <= 1:
        return straight
    return np.where(straight < gain, _slowed(gain, straight, gain), straight)


def _straight(photo: FloatImage, look: FloatImage, light: float, color: float) -> FloatImage:
    change = look - photo
    if light == color:
        return photo + np.float32(light) * change
    luma = (photo @ LUMA)[..., None]
    brightness = (change @ LUMA)[..., None] * (photo + LUMA_FLOOR) / (luma + LUMA_FLOOR)
    moved: FloatImage = photo + np.float32(light) * brightness + np.float32(color) * (change - brightness)
    return moved


def _slowed(start: FloatImage, end: FloatImage, room: FloatImage) -> FloatImage:
    """`end`, but no move from `start` uses up its room: straight up to half of it, then ever slower."""
    half = np.maximum(room, LEAST_ROOM) / 2
    halves = np.abs(end - start) / half
    slowed: FloatImage = start + np.sign(end - start) * half * (2 - 1 / np.maximum(halves, 1))
    return np.where(halves <= 1, end, slowed)
