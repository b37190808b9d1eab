"""Learning from pairs: L1 in RGB towards the target, and towards the photo itself where it should stay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lptn_cli.network import LPTN
from lptn_cli.training.batches import pair_batch
from lptn_cli.training.data import Pair, PairData, Pixels8, tensor
from lptn_cli.training.loop import Translate
from lptn_cli.training.losses import luma

IDENTITY_SHARE = 0.2  # of each batch: photos that should stay as they are


class PairObjective:
    """The objective of `lptn train --pairs`."""

    learning_rate = 1e-3

    def __init__(self, data: PairData, device: torch.device) -> None:
        self.data, self.device = data, device
        import os

        self.vary = float(os.environ.get("VARY", "1"))

    @property
    def examples(self) -> Sequence[Pixels8]:
        return [pair.input for pair in (*self.data.held_back, *self.data.held_back_identity)]

    def loss(self, network: Translate, generator: torch.Generator) -> Tensor:
        inputs, targets = pair_batch(self.data.pairs, self.data.identity, IDENTITY_SHARE, generator)
        edited = (inputs != targets).flatten(1).any(1).view(-1, 1, 1, 1)
        shown = torch.where(edited, varied(inputs, self.vary, generator), inputs)
        result = network(shown.to(self.device))
        return (result - targets.to(self.device)).abs().mean()

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


def varied(photos: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Photos with other exposures, white balances, contrasts and saturations, as the next camera would give.

    amount 1: up to 0.4 EV, 0.12 EV of red and blue, a tenth of contrast, a fifth of saturation, each way.
    """

    def each(width: float, channels: int = 1) -> Tensor:
        return torch.empty(len(photos), channels, 1, 1).uniform_(-width, width, generator=generator) * amount

    stops = each(0.4) + torch.cat([each(0.12), torch.zeros(len(photos), 1, 1, 1), each(0.12)], dim=1)
    changed = photos * 2 ** (stops / 2.2)
    changed = changed.clamp(1e-4, 1) ** (1 + each(0.1))
    grey = luma(changed)
    return (grey + (changed - grey) * (1 + each(0.2))).clamp(0, 1)


def psnr(result: Tensor, target: Pixels8) -> float:
    """Peak signal-to-noise ratio in dB of (1, 3, h, w) in [0, 1] against (h, w, 3) uint8."""
    error = float(((result - tensor(target[None])) ** 2).mean())
    return -10 * math.log10(max(error, 1e-10))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
