"""Learning from two folders of photos without correspondence: day and night, summer and winter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training import losses
from lptn_cli.training.batches import GroupBatches, pair_batch
from lptn_cli.training.data import GroupData, Hear
from lptn_cli.training.discriminator import Adversary
from lptn_cli.training.guides import Guide
from lptn_cli.training.loop import Translate
from lptn_cli.training.reading import Pair, Pixels8, pixels_of, tensor
from lptn_cli.training.renderings import varied

DIRECTIONS = 24
STRUCTURE_STRIDE = 4
IDENTITY_SHARE = 0.25  # of the batches
UNDO_SHARE = 0.25
UNDO_VARIATION = 2.5  # of what is shown then; see renderings.varied
FEW, RENDERINGS, VARIATION = 500, 3, 1.5  # photos below which each is also there in so many other renderings
EXACT = 10  # weight of the loss of both, where it is known what is wanted


@dataclass(frozen=True)
class Weights:
    """Of the losses, by name; without a guide or an adversary, theirs is 0."""

    guide: float
    distribution: float
    structure: float
    new_edges: float
    colour_noise: float
    out_of_range: float
    adversary: float


FREE = Weights(0, 10, 2, 6, 2, 100, 0.35)
GUIDED = Weights(10, 2, 3, 6, 1, 100, 0)


class UnpairedObjective:
    """The objective of `lptn train --from --to`: patches as the target has them, the photo's structure.

    With a guide, a hand-written look (guides.py), the results stay near to what it makes of the photos. Every
    fourth batch is of photos to leave alone, where there are any. With `undo`, the guide of the way back,
    every fourth is of what that makes of the targets, which are wanted back: real photos, sharp to the edges.
    Few photos are learned by heart: with a guide, which knows what is wanted of any, they are made more.
    """

    learning_rate = 6e-4
    kernel_rate: float | None = 1.5e-3

    def __init__(
        self,
        data: GroupData,
        device: torch.device,
        guide: Guide | None = None,
        undo: Guide | None = None,
        hear: Hear = lambda _: None,
    ) -> None:
        self.data, self.device = data, device
        undone = _guided(undo, data.targets, hear) if undo else []
        self.undone = [Pair("", made, photo) for made, photo in zip(undone, data.targets, strict=False)]
        self.weights = GUIDED if guide else FREE
        few = guide and len(data.photos) < FEW
        photos = _made_more(data.photos) if few else data.photos
        wanted = _guided(guide, photos, hear) if guide else None
        self.batches = GroupBatches(photos, data.targets, wanted)
        self.adversary = (
            Adversary(device, scales=2, finest=2, rate=2e-4, penalty=0) if self.weights.adversary else None
        )

    @property
    def examples(self) -> Sequence[Pixels8]:
        return self.data.held_back

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        kind = float(torch.rand((), generator=generator)) if self.data.identity or self.undone else 0.5
        if self.data.identity and kind < IDENTITY_SHARE:
            photos = pair_batch([(self.data.identity, 1.0)], generator, zoomed=True)[0].to(self.device)
            return EXACT * losses.to_guide(network(photos), photos)
        if self.undone and kind >= 1 - UNDO_SHARE:
            drawn = pair_batch([(self.undone, 1.0)], generator, zoomed=True)
            undone, wanted, _ = (batch.to(self.device) for batch in drawn)
            shown = varied(undone, generator, UNDO_VARIATION)
            result = network(shown)
            new = losses.new_edges(shown[::2], result[::2])
            return EXACT * losses.to_guide(result, wanted) + self.weights.new_edges * new
        photos, wanted, targets = (batch.to(self.device) for batch in self.batches.draw(generator))
        result = network(photos)
        w, before, after = self.weights, photos[::2], result[::2]  # half of them costs half and says enough
        total = (
            w.distribution * losses.sliced_wasserstein(result, targets, generator, DIRECTIONS)
            + w.structure * losses.structure(before, after, STRUCTURE_STRIDE)
            + w.new_edges * losses.new_edges(before, after)
            + w.colour_noise * losses.colour_noise(before, after)
            + w.out_of_range * losses.out_of_range(after)
        )
        if w.guide:
            total = total + w.guide * losses.to_guide(result, wanted)
        if self.adversary:
            total = total + w.adversary * self.adversary.loss(result, targets, generator)
        return total

    def measure(self, network: LPTN) -> Mapping[str, float]:
        """On the held-back photos: see `kept`."""
        return kept(network, self.data.held_back, self.device)

    def state(self) -> dict[str, Any]:
        return self.adversary.state() if self.adversary else {}

    def resume(self, state: Mapping[str, Any]) -> None:
        if self.adversary:
            self.adversary.resume(state)


def kept(network: LPTN, photos: Sequence[Pixels8], device: torch.device) -> dict[str, float]:
    """Means over photos, results clamped: local correlation, new edges (levels of 255), change."""
    figures: dict[str, list[float]] = {"structure": [], "new_edges": [], "change": []}
    for pixels in photos:
        photo = tensor(pixels[None]).to(device)
        with torch.inference_mode():
            result = network(photo).clamp(0, 1)
            new = losses.new_edges(photo, result) - losses.new_edges(photo, photo)
            figures["structure"].append(1 - float(losses.structure(photo, result)))
            figures["new_edges"].append(255 * float(new))
            figures["change"].append(float((result - photo).abs().mean()))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def _made_more(photos: Sequence[Pixels8]) -> list[Pixels8]:
    """The photos, and other renderings of each."""
    generator = torch.Generator().manual_seed(0)
    others = [
        pixels_of(varied(tensor(photo[None]), generator, VARIATION))
        for photo in photos
        for _ in range(RENDERINGS)
    ]
    return [*photos, *others]


def _guided(guide: Guide, photos: Sequence[Pixels8], hear: Hear) -> list[Pixels8]:
    made = []
    for n, photo in enumerate(photos):
        hear(f"following the guide, {n} of {len(photos)} photos")
        made.append(pixels_of(guide(tensor(photo[None]))))
    return made
