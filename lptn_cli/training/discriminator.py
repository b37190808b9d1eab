"""A small discriminator of two scales, least-squares GAN (Mao et al., 2017), spectrally normalised."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Judges patches of half and quarter size: (n, 3, h, w) -> one number a patch and scale; 1 is real."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_judge() for _ in range(2))

    def forward(self, image: Tensor) -> list[Tensor]:
        return [judge(F.avg_pool2d(image, 2 * 2**i)) for i, judge in enumerate(self.scales)]


def _judge() -> nn.Sequential:
    widths = (3, 32, 64, 128)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))


def adversarial(judged: list[Tensor], wanted: float) -> Tensor:
    """Mean squared distance of the judgements from `wanted`: 1 for real, 0 for translated."""
    return torch.stack([(values - wanted).square().mean() for values in judged]).mean()
