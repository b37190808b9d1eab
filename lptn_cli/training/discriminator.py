"""A small multi-scale discriminator, least-squares GAN (Mao et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """Judges patches at several scales: (n, 3, h, w) -> one number a patch and scale; 1 is real.

    finest: pixels a side that are averaged into one at the first scale; twice as many at each further one.
    spectral: whether its weights are spectrally normalised (Miyato et al., 2018).
    """

    def __init__(self, scales: int = 2, finest: int = 2, *, spectral: bool = True) -> None:
        super().__init__()
        self.finest = finest
        self.scales = nn.ModuleList(
            _judge(spectral_norm if spectral else nn.Identity()) for _ in range(scales)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        return [judge(F.avg_pool2d(image, self.finest * 2**i)) for i, judge in enumerate(self.scales)]


class Adversary:
    """A discriminator that learns beside the network: tells its results from photos of the target.

    penalty: weight of the gradient penalty; with 0 the discriminator is spectrally normalised instead.
    """

    def __init__(
        self, device: torch.device, *, scales: int, finest: int, rate: float, penalty: float
    ) -> None:
        self.penalty = penalty
        self.discriminator = Discriminator(scales, finest, spectral=not penalty).to(device)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), rate, betas=(0.5, 0.99))

    def loss(self, result: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
        """Teach the discriminator this batch; how far the result is from being taken for a photo."""
        self._teach(result.detach(), targets, generator)
        return _distance(self.discriminator(result), 1.0)

    def _teach(self, result: Tensor, targets: Tensor, generator: torch.Generator) -> None:
        loss = _distance(self.discriminator(targets), 1.0) + _distance(self.discriminator(result), 0.0)
        if self.penalty:
            loss = loss + self.penalty * gradient_penalty(self.discriminator, targets, result, generator)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        return {"discriminator": self.discriminator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def resume(self, state: Mapping[str, Any]) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])


def _judge(normalized: Callable[[nn.Module], nn.Module]) -> nn.Sequential:
    widths = (3, 32, 64, 128)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [normalized(nn.Conv2d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, normalized(nn.Conv2d(widths[-1], 1, 3, padding=1)))


def gradient_penalty(
    discriminator: Discriminator, real: Tensor, translated: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean (|gradient| - 1)^2 between real and translated images (Gulrajani et al., 2017)."""
    share = torch.rand(len(real), 1, 1, 1, generator=generator).to(real)
    between = (share * real + (1 - share) * translated).requires_grad_()
    judged = torch.stack([values.flatten(1).mean(1) for values in discriminator(between)]).sum()
    (gradient,) = torch.autograd.grad(judged, between, create_graph=True)
    slope: Tensor = gradient.flatten(1).norm(dim=1)
    return (slope - 1).square().mean()


def _distance(judged: list[Tensor], wanted: float) -> Tensor:
    """Mean squared distance of the judgements from `wanted`: 1 for real, 0 for translated."""
    return torch.stack([(values - wanted).square().mean() for values in judged]).mean()
