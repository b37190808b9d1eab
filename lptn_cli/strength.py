"""How far a look goes: from the photo (0) in a straight line to the look (1) and beyond (1.5), never clipped.

Beyond 1 a value that would use up more than half of its room to black or white slows down and stays inside:
skies that are dark already do not become holes. Images are (h, w, 3) float32, RGB in [0, 1]: NumPy arrays, or
tensors on any device.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lptn_cli.affine import Affine, T
from lptn_cli.guided_filter import fit
from lptn_cli.luma import luma

LUMA_FLOOR = 0.02  # keeps the luma ratio finite in black
LEAST_ROOM = 1e-4


def affine(
    photo: Tensor, look: Tensor, gain: Tensor, recolouring: Tensor | None, light: float, color: float,
    step: Tensor | None = None,
) -> Affine[Tensor]:  # fmt: skip
    """The look at that strength, for every place of the small photo.

    photo, look: (h, w, 3); gain, (h, w, 1), and recolouring, (h, w, 4): of the network's finest detail
    (network.Translation); step: as of `guided_filter.fit`.
    What the network puts beyond black and white is taken as seen, clipped: the fit would steepen detail there
    that is clipped anyway, and a large photo would come out unlike a small one.
    """
    change = None if recolouring is None else blend_recolouring(recolouring, color)
    return fit(photo, blend(photo, look.clip(0, 1), light, color), blend_gain(gain, light), change, step)


def blend(photo: T, look: T, light: float, color: float) -> T:
    """Move from photo to look by `light` in brightness and `color` in colour, 0 to 1.5 each.

    Brightness is what scaling all channels by one ratio of luma does; colour is the rest. With light == color
    == s this is photo + s * (look - photo), but for what beyond 1 comes near black or white.
    """
    whole = _straight(photo, look, min(light, 1), min(color, 1))
    if max(light, color) <= 1:
        return whole
    further = _straight(photo, look, light, color)
    return _slowed(whole, further, _chosen(further < whole, whole, 1 - whole))


def blend_gain(gain: T, light: float) -> T:
    """The gain of fine detail at that strength: 1 at strength 0, not turned round beyond 1."""
    straight = 1 + light * (gain - 1)
    if light <= 1:
        return straight
    return _chosen(straight < gain, _slowed(gain, straight, gain), straight)


def blend_recolouring(recolouring: T, color: float) -> T:
    """What becomes of the colour of detail at that strength, (..., 4) as of `luma.recoloured`: nothing at 0,
    and beyond 1 no further than till none of its own is kept."""
    lost = 1 - recolouring[..., :1]
    amount = (1 / lost.clip(min=LEAST_ROOM)).clip(max=color)
    blended: T = recolouring * amount
    blended[..., :1] = 1 - lost * amount
    return blended


def _straight(photo: T, look: T, light: float, color: float) -> T:
    change = look - photo
    if light == color:
        return photo + light * change
    brightness = luma(change) * (photo + LUMA_FLOOR) / (luma(photo) + LUMA_FLOOR)
    moved: T = photo + light * brightness + color * (change - brightness)
    return moved


def _slowed(start: T, end: T, room: T) -> T:
    """`end`, but no move from `start` uses up its room: straight up to half of it, then ever slower."""
    half: Any = room.clip(min=LEAST_ROOM) / 2
    halves: Any = (end - start) / half
    most = 2 - 1 / abs(halves).clip(min=1)
    slowed: T = start + half * _chosen(halves < 0, -most, most)
    return _chosen(abs(halves) <= 1, end, slowed)


def _chosen(condition: Any, where_true: T, where_false: T) -> T:
    """`where`, by arithmetic: all values are finite."""
    chosen: T = condition * where_true + ~condition * where_false
    return chosen
