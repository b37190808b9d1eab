"""Learning from two folders of photos without correspondence: day and night, summer and winter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training import losses
from lptn_cli.training.data import CROP, GroupData, Pixels8, tensor
from lptn_cli.training.discriminator import Discriminator, adversarial
from lptn_cli.training.guides import Guide
from lptn_cli.training.loop import Translate

BATCH = 8
SIMILAR = 40  # targets of the most similar layout from which a photo's partner is drawn
GRID = 4
DIRECTIONS = 24
STRUCTURE_STRIDE = 4


@dataclass(frozen=True)
class Weights:
    """Of the losses, by name; a loss of weight 0 is not computed."""

    guide: float
    distribution: float
    structure: float
    new_edges: float
    colour_noise: float
    out_of_range: float
    adversary: float


FREE = Weights(0, 10, 2, 6, 2, 100, 0.35)
GUIDED = Weights(10, 2, 3, 3, 1, 100, 0)


class UnpairedObjective:
    """The objective of `lptn train --from --to`: patches as the target has them, the photo's structure.

    With a guide, a hand-written look (guides.py), the results stay near to what it makes of the photos.
    """

    learning_rate = 6e-4

    def __init__(self, data: GroupData, device: torch.device, guide: Guide | None = None) -> None:
        self.data, self.device = data, device
        self.weights = GUIDED if guide else FREE
        self.wanted = [_guided(guide, photo) for photo in data.photos] if guide else data.photos
        self.partners = _partners(data.photos, data.targets)
        self.discriminator = Discriminator().to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.5, 0.99))

    @property
    def examples(self) -> Sequence[Pixels8]:
        return self.data.held_back

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        photos, wanted, targets = (batch.to(self.device) for batch in self._batch(generator))
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
            total = total + w.guide * (result - wanted).abs().mean()
        if w.adversary:
            self._teach_discriminator(result.detach(), targets)
            total = total + w.adversary * adversarial(self.discriminator(result), 1.0)
        return total

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

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Photos, what the guide makes of them, and for each a target of similar layout.

        All are cut to one shape, at random 75 to 100 % of the smallest; half are mirrored.
        """

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
        wanted = [self.wanted[n] for n in chosen]
        targets = [self.data.targets[self.partners[n][number(self.partners.shape[1])]] for n in chosen]
        kept = float(torch.empty(()).uniform_(CROP, 1.0, generator=generator))
        height = round(kept * min(p.shape[0] for p in photos + targets))
        width = round(kept * min(p.shape[1] for p in photos + targets))

        def cut(*several: Pixels8) -> list[Pixels8]:
            h, w = several[0].shape[:2]
            top, left, step = number(h - height + 1), number(w - width + 1), -1 if number(2) else 1
            return [p[top : top + height, left : left + width][:, ::step] for p in several]

        both = [cut(photo, want) for photo, want in zip(photos, wanted, strict=True)]
        return (
            tensor(np.stack([photo for photo, _ in both])),
            tensor(np.stack([want for _, want in both])),
            tensor(np.stack([cut(target)[0] for target in targets])),
        )


def _guided(guide: Guide, photo: Pixels8) -> Pixels8:
    wanted = guide(tensor(photo[None]))[0].permute(1, 2, 0).numpy()
    return np.rint(255 * wanted).astype(np.uint8)


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
