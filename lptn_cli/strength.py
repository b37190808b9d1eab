"""How far a look goes: from the photo (0) in a straight line to the look (1) and beyond (1.5), never clipped.

Light and colour can go to different lengths: the picture at the strength of colour is brought to the luma of
that at the strength of light. Beyond 1 what would use up more than half of the room to black or white slows
down and stays inside, all channels together: skies that are dark already do not become holes. Where the look
takes the photo's colour away, no more than half of what is left goes beyond 1: nothing turns into its
complement. Images are (h, w, 3) float32 tensors, RGB in [0, 1], on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lptn_cli.affine import Affine
from lptn_cli.guided_filter import fit
from lptn_cli.luma import luma

STEADY = (
    1.25  # times as light: a colour keeps its ratios. Beyond it gets paler: a night's sky would glare by day
)
LEAST_COLOUR = 0.02  # of the photo's own, for the look to take away
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


def blend(photo: Tensor, look: Tensor, light: float, color: float) -> Tensor:
    """Move from photo to look by `light` in brightness and `color` in colour, 0 to 1.5 each.

    Brightness is luma, whatever `color` is. With light == color == s <= 1 this is photo + s * (look - photo).
    """
    reached = torch.lerp(photo, look, min(color, 1))
    if min(light, 1) != min(color, 1):
        reached = _seen(_scaled(reached, luma(torch.lerp(photo, look, min(light, 1)))))
    if light > 1:
        brightness = luma(torch.lerp(photo, look, light))
        reached = _further(reached, _scaled(reached, brightness) - reached)
    if color > 1:
        own, others = (_seen(_scaled(image, luma(reached))) for image in (photo, look))
        reached = _further(reached, _beyond(own, others, color) * (others - own))
    return reached


def blend_gain(gain: Tensor, light: float) -> Tensor:
    """The gain of fine detail at that strength: 1 at strength 0, not turned round beyond 1."""
    straight = 1 + light * (gain - 1)
    if light <= 1:
        return straight
    return torch.where(straight < gain, _further(gain, straight - gain), straight)


def blend_recolouring(recolouring: Tensor, color: float) -> Tensor:
    """What becomes of the colour of detail at that strength, (..., 4) as of `luma.recoloured`: nothing at 0,
    and beyond 1 no further than till none of its own is kept."""
    lost = 1 - recolouring[..., :1]
    amount = (1 / lost.clip(min=LEAST_ROOM)).clip(max=color)
    return torch.cat([1 - lost * amount, recolouring[..., 1:] * amount], dim=-1)


def _scaled(image: Tensor, brightness: Tensor) -> Tensor:
    """The image with that luma, (h, w, 1), in its own ratios of channels; paler where it gets far lighter."""
    own = luma(image)
    ratio = brightness / own.clip(min=LEAST_ROOM)
    colour = torch.where(ratio < STEADY, ratio, 2 * STEADY - STEADY**2 / ratio.clip(min=STEADY))
    return brightness + (image - own) * colour


def _seen(image: Tensor) -> Tensor:
    """The image, paler where a channel would pass white."""
    colour = image - luma(image)
    room = (1 - luma(image)) / colour.amax(-1, keepdim=True).clip(min=LEAST_ROOM)
    return luma(image) + colour * room.clip(0, 1)


def _beyond(own: Tensor, others: Tensor, color: float) -> Tensor:
    """How much of the way from `own` to `others`, of one luma, colour goes on beyond 1: (h, w, 1)."""
    colour = own - luma(own)
    lost = ((own - others) * colour).sum(-1, keepdim=True) / (
        colour.square().sum(-1, keepdim=True) + LEAST_COLOUR**2
    )
    return ((1 - lost) / 2 / lost.clip(min=LEAST_ROOM)).clip(0, color - 1)


def _further(start: Tensor, step: Tensor) -> Tensor:
    """`start + step`, but no channel uses up its room: straight up to half of it, then ever slower, all
    channels together."""
    room = torch.where(step < 0, start, 1 - start).clip(min=LEAST_ROOM)
    halves = (2 * step.abs() / room).amax(-1, keepdim=True).clip(min=1)
    return start + step * (2 - 1 / halves) / halves
