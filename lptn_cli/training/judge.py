"""A small classifier of photos by light and season, to say what a stranger would call a result.

Its weights are trained on the groups of photos in ../shared/photos, less those held back, by
    python -m lptn_cli.training.judge FOLDER [--minutes 6]
which writes judge.safetensors beside this file and prints the accuracy on the photos held back.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lptn_cli.training.data import split
from lptn_cli.training.reading import Pixels8, load_photos, tensor

GROUPS = ("autumn", "day", "golden", "night", "overcast", "summer", "winter")
SIDE = 96  # pixels: photos are squeezed to a square
WEIGHTS = Path(__file__).with_suffix(".safetensors")
BATCH = 64


class Judge(nn.Module):
    """(n, 3, 96, 96) RGB in [0, 1] -> one score for each of GROUPS."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for after in (24, 48, 96, 128):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.features = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(2 * before, len(GROUPS))

    def forward(self, image: Tensor) -> Tensor:
        seen = self.features(image)
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)
        return self.head(self.drop(pooled))  # type: ignore[no-any-return]


def load_judge() -> tuple[Judge, dict[str, float]]:
    """The trained judge, and its accuracy on photos that its training never saw, by group."""
    judge = Judge().eval()
    with safe_open(WEIGHTS, "pt") as file:
        judge.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        accuracy: dict[str, float] = json.loads(file.metadata()["accuracy"])
    return judge, accuracy


def judged(judge: Judge, photos: Sequence[Pixels8]) -> list[str]:
    """The group that each photo, (h, w, 3) uint8 upright, is taken for."""
    with torch.inference_mode():
        scores = torch.cat([judge(squeezed(photo)) for photo in photos])
    return [GROUPS[n] for n in scores.argmax(1)]


def squeezed(photo: Pixels8) -> Tensor:
    """(h, w, 3) uint8 -> (1, 3, 96, 96), area averaged."""
    return F.adaptive_avg_pool2d(tensor(photo[None]), SIDE)


def train(folder: Path, minutes: float, seed: int = 0) -> tuple[Judge, dict[str, float]]:
    """Train on FOLDER/GROUP; the averaged judge and its accuracy on the photos held back, by group."""
    torch.manual_seed(seed)
    shown, held = [], []
    for n, group in enumerate(GROUPS):
        train_side, held_side = split(load_photos(folder / group, 160))
        shown += [(squeezed(photo.pixels), n) for photo in train_side]
        held += [(photo.pixels, group) for photo in held_side]
    images, labels = torch.cat([image for image, _ in shown]), torch.tensor([n for _, n in shown])
    # Groups of 68 to 469 photos: the largest is seen 2.6 times as often as the smallest.
    weights = 1.0 / torch.bincount(labels).float().sqrt()[labels]
    judge = Judge().train()
    averaged = torch.optim.swa_utils.AveragedModel(
        judge,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    started = time.monotonic()
    while (progress := (time.monotonic() - started) / (60 * minutes)) < 1:
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - progress)
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        loss = F.cross_entropy(judge(_varied(images[chosen])), labels[chosen], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        averaged.update_parameters(judge)
    trained: Judge = averaged.module.eval()  # type: ignore[assignment]
    said = judged(trained, [photo for photo, _ in held])
    accuracy = {}
    for group in GROUPS:
        right = [found == wanted for found, (_, wanted) in zip(said, held, strict=True) if wanted == group]
        accuracy[group] = round(sum(right) / len(right), 3)
    right = [found == wanted for found, (_, wanted) in zip(said, held, strict=True)]
    accuracy["all"] = round(sum(right) / len(right), 3)
    return trained, accuracy


def _varied(images: Tensor) -> Tensor:
    """Mirrored, cropped and slightly brighter or darker copies."""
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    size = int(torch.randint(72, SIDE + 1, ()))
    top, left = (int(torch.randint(SIDE - size + 1, ())) for _ in range(2))
    cut = images[:, :, top : top + size, left : left + size]
    cut = F.interpolate(cut, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    return cut * (0.9 + 0.2 * torch.rand(len(images), 1, 1, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=6)
    options = parser.parse_args()
    judge, accuracy = train(options.folder, options.minutes)
    state = {key: value.contiguous() for key, value in judge.state_dict().items()}
    save_file(state, WEIGHTS, {"accuracy": json.dumps(accuracy)})
    sys.stdout.write(json.dumps(accuracy) + "\n")


if __name__ == "__main__":
    main()
