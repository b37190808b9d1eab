"""The losses of the paper, for comparison: keep the photo, and fool a discriminator of three scales.

The losses are those the paper names (section 3.4); their weights, and one discriminator update a step, are
those of the authors' options file. The discriminator's layers are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training.batches import GroupBatches
from lptn_cli.training.data import GroupData
from lptn_cli.training.discriminator import Adversary
from lptn_cli.training.loop import Translate
from lptn_cli.training.reading import Pixels8
from lptn_cli.training.unpaired import kept

# The weights of the authors' options/train/LPTN/train_FiveK.yml.
RECONSTRUCTION = 1000.0
ADVERSARY = 1.0
PENALTY = 100.0


class PublishedObjective:
    """The objective of `lptn train --from --to --losses published` (paper, section 3.4).

    Mean squared error towards the photo itself, a least-squares GAN of three scales with gradient penalty.
    """

    learning_rate = 1e-4
    kernel_rate: float | None = None  # as theirs, by Adam

    def __init__(self, data: GroupData, device: torch.device) -> None:
        self.data, self.device = data, device
        self.batches = GroupBatches(data.photos, data.targets)
        self.adversary = Adversary(device, scales=3, finest=1, rate=1e-4, penalty=PENALTY)

    @property
    def examples(self) -> Sequence[Pixels8]:
        return self.data.held_back

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        photos, _, targets = (batch.to(self.device) for batch in self.batches.draw(generator))
        result = network(photos)
        reconstruction = (result - photos).square().mean()
        return RECONSTRUCTION * reconstruction + ADVERSARY * self.adversary.loss(result, targets, generator)

    def measure(self, network: LPTN) -> Mapping[str, float]:
        """On the held-back photos: see `unpaired.kept`."""
        return kept(network, self.data.held_back, self.device)

    def state(self) -> dict[str, Any]:
        return self.adversary.state()

    def resume(self, state: Mapping[str, Any]) -> None:
        self.adversary.resume(state)
