"""Learning from two folders of photos without correspondence: day and night, summer and winter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training import losses
from lptn_cli.training.data import GroupData, Pixels8, tensor
from lptn_cli.training.discriminator import Discriminator, adversarial

BATCH = 8
SIMILAR = 40  # targets of the most similar layout from which a photo's partner is drawn
GRID = 4
DIRECTIONS = 32

DISTRIBUTION = 10.0
STRUCTURE = 2.0
NEW_EDGES = 6.0
COLOUR_NOISE = 2.0
RANGE = 100.0
ADVERSARY = 0.35


class UnpairedObjective:
    """The objective of `lptn train --from --to`: patches as the target has them, the photo's structure."""

    learning_rate = 6e-4

    def __init__(self, data: GroupData, device: torch.device) -> None:
        self.data, self.device = data, device
        self.partners = _partners(data.photos, data.targets)
        self.discriminator = Discriminator().to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.5, 0.99))

    def loss(self, network: LPTN, generator: torch.Generator) -> Tensor:
        photos, targets = (batch.to(self.device) for batch in self._batch(generator))
        result = network(photos)
        self._teach_discriminator(result.detach(), targets)
        distribution = losses.sliced_wasserstein(result, targets, generator, DIRECTIONS)
        return (
            DISTRIBUTION * distribution
            + STRUCTURE * losses.structure(photos, result)
            + NEW_EDGES * losses.new_edges(photos, result)
            + COLOUR_NOISE * losses.colour_noise(photos, result)
            + RANGE * losses.out_of_range(result)
            + ADVERSARY * adversarial(self.discriminator(result), 1.0)
        )

    def measure(self, network: LPTN) -> Mapping[str, float]:
        """On the held-back photos, results clamped: mean local correlation, new edges, mean change."""
        structure, edges, change = [], [], []
        for pixels in self.data.held_back:
            photo = tensor(pixels[None]).to(self.device)
            with torch.inference_mode():
                result = network(photo).clamp(0, 1)
                structure.append(1 - float(losses.structure(photo, result)))
                edges.append(255 * float(losses.new_edges(photo, result) - losses.new_edges(photo, photo)))
                change.append(float((result - photo).abs().mean()))
        figures = {"structure": structure, "new_edges": edges, "change": change}
        return {name: sum(values) / len(values) for name, values in figures.items()}

    def state(self) -> dict[str, Any]:
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _teach_discriminator(self, result: Tensor, targets: Tensor) -> None:
        loss = adversarial(self.discriminator(targets), 1.0) + adversarial(self.discriminator(result), 0.0)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Photos and for each a target of similar layout, all cut to one shape, half of them mirrored."""

        def number(n: int) -> int:
            return int(torch.randint(n, (), generator=generator))

        first = number(len(self.data.photos))
        wide = _is_wide(self.data.photos[first])
        chosen = [first]
        while len(chosen) < BATCH:
            n = number(len(self.data.photos))
            if _is_wide(self.data.photos[n]) == wide:
                chosen.append(n)
        photos = [self.data.photos[n] for n in chosen]
        targets = [self.data.targets[self.partners[n][number(self.partners.shape[1])]] for n in chosen]
        height = min(p.shape[0] for p in photos + targets)
        width = min(p.shape[1] for p in photos + targets)

        def cut(pixels: Pixels8) -> Pixels8:
            top, left = number(pixels.shape[0] - height + 1), number(pixels.shape[1] - width + 1)
            return pixels[top : top + height, left : left + width][:, :: -1 if number(2) else 1]

        return tensor(np.stack([cut(p) for p in photos])), tensor(np.stack([cut(p) for p in targets]))


def _is_wide(pixels: Pixels8) -> bool:
    return bool(pixels.shape[1] >= pixels.shape[0])


def _partners(photos: Sequence[Pixels8], targets: Sequence[Pixels8]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each photo the targets of its orientation whose layout is nearest: (photos, up to SIMILAR) indices.

    Where the targets have none of that orientation, any target may be a partner.
    """
    theirs = np.stack([_layout(pixels) for pixels in targets])
    wide = np.array([_is_wide(pixels) for pixels in targets])
    count = min(SIMILAR, max(1, min(int(wide.sum()) or len(targets), int((~wide).sum()) or len(targets))))
    rows = []
    for pixels in photos:
        distance = np.abs(theirs - _layout(pixels)).sum(1)
        if (wide == _is_wide(pixels)).any():
            distance = np.where(wide == _is_wide(pixels), distance, np.inf)
        rows.append(np.argsort(distance)[:count])
    return np.stack(rows)


def _layout(pixels: Pixels8) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Log of the gradient energy on a grid of 4x4: where a photo has detail and where sky."""
    grey = losses.luma(tensor(pixels[None]))
    energy = (grey[..., 1:, :-1] - grey[..., :-1, :-1]).abs() + (
        grey[..., :-1, 1:] - grey[..., :-1, :-1]
    ).abs()
    return torch.log(F.adaptive_avg_pool2d(energy, GRID) + 1e-3).flatten().numpy()
