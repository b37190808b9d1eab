"""A teacher where pairs are few: a retoucher of whole photos that knows things, to make pairs for LPTN.

Retouching as experts do it is mostly one mapping of colours for a whole photo. Which one, an EfficientNet
that ImageNet taught to see learns from a few hundred pairs far better than LPTN does from nothing; a small
network of pixels applies it (conditional sequential modulation: He et al., CSRNet, ECCV 2020). Some teachers
together then retouch as many flat renderings of well-graded photos as LPTN needs to learn the same:

    pip install 'lptn[eye]'
    python -m lptn_cli.training.teacher PAIRS --photos DIR --identity DIR -o lessons/ --minutes 20
    lptn train NAME --pairs lessons/

PAIRS holds input/ and target/. What training holds back there, and photos that show the same, is left out.
Teachers are kept in the output folder; a run that is begun again goes on with those it finds there.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lptn_cli.atomic import write_atomic
from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.luma import luma_of_planes as luma
from lptn_cli.training.data import PairData, load_pairs, pixels_of, tensor
from lptn_cli.training.eye import FEATURES, features, load_eye, square
from lptn_cli.training.pairs import PairObjective, psnr
from lptn_cli.training.renderings import unedited
from lptn_cli.translate import Retoucher

SHORT_SIDE = 240  # pixels: of the pairs that are written
SIDE = 144  # pixels: photos are squeezed to a square
CHANNELS = 32  # of the network of pixels
QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
BATCH, PIXELS = 12, 3000  # photos a step, and pixels of each
EYE_RATE, RATE, WEIGHT_DECAY, EMA_DECAY = 2e-4, 2e-3, 0.03, 0.995
WARM_UP_STEPS = 50
RENDERINGS = 3  # of each photo
PART = 0.4, 0.7  # of the sides: parts of photos are photos too, and most of them without a sky
LEFT_ALONE = 0.5  # of what teachers would change in a photo that is good already
QUALITY = 97  # JPEG


class Teacher(nn.Module):
    """Photos (n, 3, h, w) RGB in [0, 1] -> the same retouched, not clamped.

    eye: which EfficientNet-Lite, 0 to 2.
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


@dataclass(frozen=True)
class Staff:
    """Some teachers, and maybe a preset that has a share in what they say."""

    teachers: Sequence[Teacher]
    guest: Retoucher | None = None
    share: float = 0.0  # of the guest

    def taught(self, photo: Tensor) -> Tensor:
        """What (1, 3, h, w) should become, in [0, 1]."""
        with torch.inference_mode():
            mean = torch.stack([teacher(photo).clamp(0, 1) for teacher in self.teachers]).mean(0)
        if self.guest is None:
            return mean
        said = tensor(np.asarray(self.guest(pixels_of(photo)), np.uint8)[None])
        return mean.lerp(said, self.share)


def lessons(staff: Staff, data: PairData, seed: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Names, photos (1, 3, h, w) and what they should become: of the pairs, of flat renderings of the photos
    to restore and of parts of them, and of photos to leave alone, which are changed half as much as the
    teachers would.

    Half, not nothing: on a raw file's rendering that looks finished, as real ones do more often than those
    that are made flat here, a network that learned to change nothing stops short.
    """
    generator = torch.Generator().manual_seed(seed)
    for pair in data.pairs:
        photo = tensor(pair.input[None])
        yield pair.name, photo, staff.taught(photo)
    for n in range(RENDERINGS):
        for pair in data.restore:
            photo = unedited(tensor(pair.input[None]), generator)
            yield f"{pair.name}-flat-{n}", photo, staff.taught(photo)
    for pair in data.restore:
        photo = unedited(_part(tensor(pair.input[None]), generator), generator)
        yield f"{pair.name}-part", photo, staff.taught(photo)
    for pair in data.identity:
        photo = tensor(pair.input[None])
        yield f"{pair.name}-good", photo, photo.lerp(staff.taught(photo), 1 - LEFT_ALONE)


def _part(photo: Tensor, generator: torch.Generator) -> Tensor:
    """A part of (1, 3, h, w) at random, PART of its sides, enlarged to its size."""
    h, w = photo.shape[2:]
    share, down, across = torch.rand(3, generator=generator).tolist()
    share = PART[0] + share * (PART[1] - PART[0])
    height, width = round(share * h), round(share * w)
    top, left = int(down * (h - height + 1)), int(across * (w - width + 1))
    part = photo[:, :, top : top + height, left : left + width]
    return F.interpolate(part, size=(h, w), mode="bicubic", align_corners=False).clamp(0, 1)


def write_pairs(lessons: Iterable[tuple[str, Tensor, Tensor]], folder: Path) -> None:
    """FOLDER/input and FOLDER/target, as JPEGs. Raises WriteError."""
    for side in ("input", "target"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for name, *sides in lessons:
        for side, image in zip(("input", "target"), sides, strict=True):
            encoded = encode(Image(pixels_of(image), "jpeg"), EncodeOptions("jpeg", QUALITY, "444"))
            write_atomic(folder / side / f"{name}.jpg", encoded, overwrite=True)


def _clock(minutes: float) -> Callable[[int], float]:
    """Progress by the time since now."""
    started = time.monotonic()
    return lambda _: (time.monotonic() - started) / (60 * minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    several: dict[str, Any] = {"type": Path, "action": "append", "default": []}
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--photos", **several, help="well-graded ones, to be rendered flat")
    parser.add_argument("--identity", **several, help="photos that should stay as they are")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20, help="for each teacher")
    parser.add_argument("--eyes", type=int, nargs="+", default=[0, 0], help="EfficientNet-Lite of each")
    parser.add_argument("--guest", help="a preset that has a share in what is taught")
    parser.add_argument("--share", type=float, default=0.3, help="of the guest")
    options = parser.parse_args()
    data = load_pairs(options.pairs, options.identity, options.photos, SHORT_SIDE)
    objective = PairObjective(replace(data, identity=[]), torch.device("cpu"))
    options.output.mkdir(parents=True, exist_ok=True)
    teachers: list[Teacher] = []
    for n, eye in enumerate(options.eyes):
        kept = options.output / f"teacher-{n + 1}.pt"
        if kept.exists():
            teachers.append(Teacher(eye).eval())
            teachers[-1].load_state_dict(torch.load(kept, weights_only=True))
        else:
            teachers.append(train(objective, eye, _clock(options.minutes), seed=n))
            torch.save(teachers[-1].state_dict(), kept)
        for who, some in ((f"teacher {n + 1}", teachers[-1:]), ("all so far", teachers)):
            figures = [
                psnr(Staff(some).taught(tensor(pair.input[None])), pair.target) for pair in data.held_back
            ]
            mean = sum(figures) / len(figures)
            sys.stdout.write(f"{who}: {mean:.2f} dB on {len(figures)} held-back pairs\n")
            sys.stdout.flush()
    guest = Retoucher(options.guest, "cpu") if options.guest else None
    write_pairs(lessons(Staff(teachers, guest, options.share), data, seed=0), options.output)


if __name__ == "__main__":
    main()
