"""Steps of training: Muon's of the kernels of convolutions, AdamW's of all else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lptn_cli.training.optimizer import WEIGHT_DECAY, Optimizer

RATE = 1e-3


def stepped(kernel_rate: float | None) -> list[tuple[str, Tensor]]:
    """What one step adds to each weight, in units of AdamW's rate."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(16, 3, 3, padding=1))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    photos = torch.rand(2, 3, 12, 12)
    Optimizer(network, RATE, kernel_rate).step((network(photos) - photos).square().mean(), share=1.0)
    return [
        (name, (weight.detach() - before[name] * (1 - WEIGHT_DECAY * (kernel_rate or RATE))) / RATE)
        for name, weight in network.named_parameters()
    ]


def test_the_step_of_a_kernel_goes_as_far_in_every_direction() -> None:
    steps = dict(stepped(kernel_rate=2 * RATE))
    spread = torch.linalg.svdvals(steps["0.weight"].flatten(1))
    assert 0.5 < float(spread.min() / spread.max()) <= 1
    size = float(steps["0.weight"].square().mean().sqrt())
    assert size == pytest.approx(2 * 0.2, rel=0.25)


def test_what_writes_a_picture_and_what_is_no_kernel_make_steps_of_adamw() -> None:
    steps = dict(stepped(kernel_rate=2 * RATE))
    for name in ("0.bias", "2.weight", "2.bias"):
        assert float(steps[name].abs().median()) == pytest.approx(1, abs=0.02), name  # the first: a sign


def test_without_a_rate_of_kernels_all_steps_are_of_adamw() -> None:
    for name, step in stepped(kernel_rate=None):
        assert float(step.abs().median()) == pytest.approx(1, abs=0.02), name


def test_the_share_scales_both() -> None:
    weight = nn.Conv2d(8, 8, 3)
    optimizer = Optimizer(weight, RATE, RATE)
    before = [w.detach().clone() for w in weight.parameters()]
    optimizer.step(weight(torch.rand(1, 8, 6, 6)).square().mean(), share=0.0)
    assert all(torch.equal(w, b) for w, b in zip(weight.parameters(), before, strict=True))
