"""Batches drawn from photos in memory: cut to one shape, mirrored, with partners of similar layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.luma import luma_of_planes as luma
from lptn_cli.training.reading import Pair, Pixels8, pixels_of, tensor

BATCH = 8
CROP = 0.75  # of the sides, the least that is kept of a photo
NEAREST = 0.7  # sides of the smallest window that is enlarged to a batch's shape, against that
GREY_SHARE = 0.04  # of the photos are shown without colour, before and after
SIMILAR = 40  # targets of the most similar layout from which a photo's partner is drawn
GRID = 4


def pair_batch(
    sources: Sequence[tuple[Sequence[Pair], float]],
    generator: torch.Generator,
    size: int = BATCH,
    *,
    zoomed: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs and targets, (size, 3, h, w) each in [0, 1], and the number of the source of each, (size,).

    sources: pairs and about the share of a batch that comes from them; the first makes up what others leave.
    All photos of a batch are wide or all are tall, cut at random to one shape, 75 to 100 % of the smallest of
    them; half are mirrored. zoomed: what is cut out is of any size and then brought to that shape.
    """
    first = sources[0][0]
    wide = first[_number(len(first), generator)].is_wide
    pools = [[pair for pair in pairs if pair.is_wide == wide] for pairs, _ in sources]
    numbers, chosen = [], []
    for _ in range(size):
        left = float(torch.rand((), generator=generator))
        number = 0
        for n, (_, share) in enumerate(sources[1:], 1):
            if pools[n] and 0 <= left < share:
                number = n
            left -= share
        numbers.append(number)
        chosen.append(pools[number][_number(len(pools[number]), generator)])
    shape = _shape([pair.input for pair in chosen], generator)
    cut = [_cut(shape, generator, pair.input, pair.target, zoomed=zoomed) for pair in chosen]
    inputs, targets = (tensor(np.stack(side)) for side in zip(*cut, strict=True))
    return inputs, targets, torch.tensor(numbers)


def some_without_colour(inputs: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A few of the photos in black and white, before and after: such photos stay so."""
    grey = (torch.rand(len(inputs), generator=generator) < GREY_SHARE).view(-1, 1, 1, 1).to(inputs.device)
    return torch.where(grey, luma(inputs), inputs), torch.where(grey, luma(targets), targets)


class GroupBatches:
    """Photos, what they should become (themselves, if not known), and partners from the target group."""

    def __init__(
        self, photos: Sequence[Pixels8], targets: Sequence[Pixels8], wanted: Sequence[Pixels8] | None = None
    ) -> None:
        self.photos, self.targets = photos, targets
        self.wanted = photos if wanted is None else wanted
        self.partners = _partners(photos, targets)

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Photos, wanted and targets, (BATCH, 3, h, w) each in [0, 1]; targets are of similar layout.

        All photos are wide or all are tall, cut at random to one shape, 75 to 100 % of the smallest of them,
        after windows of any size are brought to that; half are mirrored.
        """
        first = _number(len(self.photos), generator)
        wide = _is_wide(self.photos[first])
        chosen = [first]
        while len(chosen) < BATCH:
            n = _number(len(self.photos), generator)
            if _is_wide(self.photos[n]) == wide:
                chosen.append(n)
        photos = [self.photos[n] for n in chosen]
        targets = [self.targets[self.partners[n][_number(len(self.partners[n]), generator)]] for n in chosen]
        shape = _shape(photos + targets, generator)
        both = [_cut(shape, generator, self.photos[n], self.wanted[n], zoomed=True) for n in chosen]
        return (
            tensor(np.stack([photo for photo, _ in both])),
            tensor(np.stack([wanted for _, wanted in both])),
            tensor(np.stack([_cut(shape, generator, target)[0] for target in targets])),
        )


def _number(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(below, (), generator=generator))


def _shape(photos: Sequence[Pixels8], generator: torch.Generator) -> tuple[int, int]:
    """A height and a width that fit into every photo."""
    kept = float(torch.empty(()).uniform_(CROP, 1.0, generator=generator))
    return round(kept * min(p.shape[0] for p in photos)), round(kept * min(p.shape[1] for p in photos))


def _cut(
    shape: tuple[int, int], generator: torch.Generator, *same: Pixels8, zoomed: bool = False
) -> list[Pixels8]:
    """The same random window of photos of one shape, mirrored or not; see `pair_batch`."""
    height, width = shape
    if zoomed:
        widest = min(same[0].shape[0] / height, same[0].shape[1] / width)
        size = float(torch.empty(()).uniform_(NEAREST, widest, generator=generator))
        height, width = int(size * height), int(size * width)
    top = _number(same[0].shape[0] - height + 1, generator)
    left = _number(same[0].shape[1] - width + 1, generator)
    step = -1 if _number(2, generator) else 1
    windows = [pixels[top : top + height, left : left + width][:, ::step] for pixels in same]
    return [_resized(window, shape) for window in windows] if zoomed else windows


def _resized(pixels: Pixels8, shape: tuple[int, int]) -> Pixels8:
    image = tensor(np.ascontiguousarray(pixels)[None])
    return pixels_of(F.interpolate(image, size=shape, mode="bilinear", antialias=True, align_corners=False))


def _is_wide(pixels: Pixels8) -> bool:
    return bool(pixels.shape[1] >= pixels.shape[0])


def _partners(
    photos: Sequence[Pixels8], targets: Sequence[Pixels8]
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """For each photo the SIMILAR targets of its orientation whose layout is nearest, by number.

    Where the targets have none of that orientation, any target may be a partner.
    """
    theirs = np.stack([_layout(pixels) for pixels in targets])
    wide = np.array([_is_wide(pixels) for pixels in targets])
    rows = []
    for pixels in photos:
        same = np.flatnonzero(wide == _is_wide(pixels))
        pool = same if len(same) else np.arange(len(targets))
        distance = np.abs(theirs[pool] - _layout(pixels)).sum(1)
        rows.append(pool[np.argsort(distance)[:SIMILAR]])
    return rows


def _layout(pixels: Pixels8) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Log of the gradient energy on a grid of 4x4: where a photo has detail and where sky."""
    grey = luma(tensor(pixels[None]))
    energy = (grey[..., 1:, :-1] - grey[..., :-1, :-1]).abs() + (
        grey[..., :-1, 1:] - grey[..., :-1, :-1]
    ).abs()
    return torch.log(F.adaptive_avg_pool2d(energy, GRID) + 1e-3).flatten().numpy()
