"""Other renderings of the same photos: as the next camera would give them, and unedited as raw converters do.

Photos are (n, 3, h, w) RGB in [0, 1], on any device; exposures are in EV, applied to display values at a
gamma of 2.2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lptn_cli.luma import luma_of_planes as luma

GAMMA = 2.2


def varied(photos: Tensor, generator: torch.Generator, amount: float = 1.0) -> Tensor:
    """Each with a slightly other exposure, white balance, contrast and saturation.

    amount 1: up to 0.4 EV, 0.12 EV of red and blue, a tenth of contrast, a fifth of saturation, each way.
    """
    return _rendered(
        photos,
        stops=_each(photos, -0.4 * amount, 0.4 * amount, generator),
        tint=0.12 * amount,
        contrast=_each(photos, 1 - 0.1 * amount, 1 + 0.1 * amount, generator),
        saturation=_each(photos, 1 - 0.2 * amount, 1 + 0.2 * amount, generator),
        generator=generator,
    )


def unedited(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Each as a raw converter's plain rendering: darker by up to 1.9 EV, flatter, paler, off in colour."""
    return _rendered(
        photos,
        stops=_each(photos, -1.9, 0.2, generator),
        tint=0.18,
        contrast=_each(photos, 0.65, 1.0, generator),
        saturation=_each(photos, 0.55, 1.0, generator),
        generator=generator,
    )


def _rendered(
    photos: Tensor,
    *,
    stops: Tensor,
    tint: float,
    contrast: Tensor,
    saturation: Tensor,
    generator: torch.Generator,
) -> Tensor:
    red, blue = (_each(photos, -tint, tint, generator) for _ in range(2))
    flat = photos.mean((1, 2, 3), keepdim=True)
    flat = flat + contrast * (photos - flat)
    grey = luma(flat)
    pale = grey + saturation * (flat - grey)
    gain = 2 ** ((stops + torch.cat([red, torch.zeros_like(red), blue], dim=1)) / GAMMA)
    return (pale * gain).clamp(0, 1)


def _each(photos: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """One number a photo, (n, 1, 1, 1)."""
    numbers = torch.empty(len(photos), 1, 1, 1).uniform_(low, high, generator=generator)
    return numbers.to(photos.device)  # the generator is the CPU's: a seed gives the same on every device
