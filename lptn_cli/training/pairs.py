"""Learning from pairs: the root of the mean square error towards the target, photo by photo.

Where many renderings are right, that is less afraid of a photo it cannot guess than the square, and keeps the
tones of a photo together better than L1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training.batches import BATCH, pair_batch, some_without_colour
from lptn_cli.training.data import PairData
from lptn_cli.training.loop import Translate
from lptn_cli.training.reading import Pair, Pixels8, tensor
from lptn_cli.training.renderings import unedited, varied

IDENTITY_SHARE = 0.06  # of each batch: photos that should stay as they are
RESTORE_SHARE = 0.4  # photos to be brought back from an unedited rendering
FEW = 2000  # pairs below which their inputs vary; more of them are blurred by it
VARIATION = 0.4  # of those inputs; see renderings.varied


class PairObjective:
    """The objective of `lptn train --pairs`."""

    learning_rate = 1e-3
    kernel_rate: float | None = 2.5e-3

    def __init__(self, data: PairData, device: torch.device) -> None:
        self.data, self.device = data, device
        self.keeps_grey = not data.tones
        self.variation = VARIATION if len(data.pairs) < FEW else 0.0
        self.sources = [(data.pairs, 1.0), (data.identity, IDENTITY_SHARE), (data.restore, RESTORE_SHARE)]

    @property
    def examples(self) -> Sequence[Pixels8]:
        return [pair.input for pair in (*self.data.held_back, *self.data.held_back_identity)]

    def batch(self, generator: torch.Generator, size: int = BATCH) -> tuple[Tensor, Tensor]:
        """Photos as they are shown and as they should become, (size, 3, h, w) each in [0, 1]."""
        inputs, targets, source = (
            batch.to(self.device) for batch in pair_batch(self.sources, generator, size)
        )
        source = source.view(-1, 1, 1, 1)
        shown = torch.where(source == 0, varied(inputs, generator, self.variation), inputs)
        shown = torch.where(source == 2, unedited(inputs, generator), shown)
        return some_without_colour(shown, targets, generator) if self.keeps_grey else (shown, targets)

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        shown, targets = self.batch(generator)
        result = network(shown)
        error = (result - targets).square().mean((1, 2, 3))
        return (error + 1e-6).sqrt().mean()

    def measure(self, network: LPTN) -> Mapping[str, float]:
        """Mean PSNR in dB at the native scale: of results and of inputs against their targets, and of results
        against the photo for those that should stay as they are."""
        pairs, identity = self.data.held_back, self.data.held_back_identity
        figures = {
            "psnr": _mean([psnr(self._result(network, pair), pair.target) for pair in pairs]),
            "psnr_before": _mean([psnr(tensor(pair.input[None]), pair.target) for pair in pairs]),
        }
        if identity:
            kept = [psnr(self._result(network, pair), pair.target) for pair in identity]
            figures["psnr_identity"] = _mean(kept)
        return figures

    def state(self) -> dict[str, Any]:
        return {}

    def resume(self, state: Mapping[str, Any]) -> None:
        pass

    def _result(self, network: LPTN, pair: Pair) -> Tensor:
        with torch.inference_mode():
            result: Tensor = network(tensor(pair.input[None]).to(self.device))
        return result.clamp(0, 1).cpu()


def psnr(result: Tensor, target: Pixels8) -> float:
    """Peak signal-to-noise ratio in dB of (1, 3, h, w) in [0, 1] against (h, w, 3) uint8."""
    error = float(((result - tensor(target[None])) ** 2).mean())
    return -10 * math.log10(max(error, 1e-10))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
