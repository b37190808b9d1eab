"""A teacher where pairs are few: a retoucher of whole photos that knows things.

Retouching as experts do it is mostly one mapping of colours for a whole photo. Which one, an EfficientNet
that ImageNet taught to see learns from a few hundred pairs far better than LPTN does from nothing; a small
network of pixels applies it (conditional sequential modulation: He et al., CSRNet, ECCV 2020). Some teachers
together then retouch as many photos as LPTN needs to learn the same: lessons.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lptn_cli.branches import QUANTILES
from lptn_cli.luma import luma_of_planes as luma
from lptn_cli.training.eye import FEATURES, features, load_eye, square
from lptn_cli.training.pairs import PairObjective

SIDE = 144  # pixels: photos are squeezed to a square
CHANNELS = 32  # of the network of pixels
BATCH, PIXELS = 12, 3000  # photos a step, and pixels of each
EYE_RATE, RATE, WEIGHT_DECAY, EMA_DECAY = 2e-4, 2e-3, 0.03, 0.995
WARM_UP_STEPS = 50


class Teacher(nn.Module):
    """Photos (n, 3, h, w) RGB in [0, 1] -> the same retouched, not clamped.

    eye: which EfficientNet-Lite, 0 or 1.
    """

    def __init__(self, eye: int) -> None:
        super().__init__()
        self.eye = load_eye(eye)
        self.seen = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 32))
        self.measured = nn.Sequential(nn.Linear(4 * len(QUANTILES) + 8, 64), nn.ReLU(), nn.Linear(64, 64))
        self.condition = nn.Sequential(nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.layers = nn.ModuleList([nn.Linear(3, CHANNELS), nn.Linear(CHANNELS, CHANNELS)])
        self.last = nn.Linear(CHANNELS, 3)
        nn.init.normal_(self.last.weight, 0, 0.02)
        self.modulations = nn.ModuleList([nn.Linear(96, 2 * n) for n in (CHANNELS, CHANNELS, 3)])
        for layer in self.modulations:
            nn.init.normal_(layer.weight, 0, 0.01)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def conditions(self, photos: Tensor) -> Tensor:
        """What to do with each of (n, 3, h, w): (n, 96)."""
        squares = square(photos, SIDE)
        values = torch.cat([squares, luma(squares)], dim=1).flatten(2)[:, :, ::7]
        quantiles = torch.quantile(values.float(), values.new_tensor(QUANTILES), dim=2)
        measured = [quantiles.permute(1, 2, 0).flatten(1), values.mean(2), values.std(2)]
        both = [
            self.seen(features(self.eye, squares).float()),
            self.measured(4 * torch.cat(measured, dim=1) - 1),
        ]
        return self.condition(torch.cat(both, dim=1))  # type: ignore[no-any-return]

    def apply_to(self, pixels: Tensor, conditions: Tensor) -> Tensor:
        """(n, k, 3) RGB, (n, 96) -> (n, k, 3)."""
        x = pixels
        for layer, modulation in zip(self.layers, self.modulations, strict=False):
            x = F.relu(_modulated(layer(x), modulation(conditions)))
        return _modulated(pixels + self.last(x), self.modulations[-1](conditions))

    def forward(self, photos: Tensor) -> Tensor:
        conditions = (self.conditions(photos) + self.conditions(photos.flip(3))) / 2
        retouched = self.apply_to(photos.flatten(2).transpose(1, 2), conditions)
        return retouched.transpose(1, 2).reshape(photos.shape)


def _modulated(x: Tensor, by: Tensor) -> Tensor:
    gain, offset = by[:, None].chunk(2, dim=2)
    return x * (1 + gain) + offset


def train(objective: PairObjective, eye: int, progress: Callable[[int], float], seed: int) -> Teacher:
    """A teacher of those pairs, its weights averaged. Raises StartError without the eye's packages.

    progress: what share of the training is behind it after so many steps.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    teacher = Teacher(eye).train()
    averaged = torch.optim.swa_utils.AveragedModel(teacher, avg_fn=_average, use_buffers=True)
    knows = list(teacher.eye.parameters())
    learns = [value for name, value in teacher.named_parameters() if not name.startswith("eye.")]
    rates = [EYE_RATE, RATE]
    groups = [{"params": part, "lr": rate} for part, rate in zip((knows, learns), rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY)
    step = 0
    while (done := progress(step)) < 1:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * done))
        inputs, targets = objective.batch(generator, BATCH)
        chosen = torch.randint(inputs[0, 0].numel(), (PIXELS,), generator=generator)
        pixels, wanted = (side.flatten(2)[:, :, chosen].transpose(1, 2) for side in (inputs, targets))
        with torch.autocast("cpu", torch.bfloat16):
            conditions = teacher.conditions(inputs)
        error = (teacher.apply_to(pixels, conditions.float()) - wanted).square().mean((1, 2))
        optimizer.zero_grad()
        (error + 1e-6).sqrt().mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(teacher)
        step += 1
    trained: Teacher = averaged.module.eval()  # type: ignore[assignment]
    return trained


def _average(averaged: Tensor, current: Tensor, step: Tensor | int) -> Tensor:
    if not averaged.is_floating_point():
        return current
    return averaged.lerp(current, 1 - min(EMA_DECAY, int(step) / (int(step) + 10)))
