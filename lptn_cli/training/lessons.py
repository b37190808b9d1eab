"""Pairs for LPTN to learn from, where there are too few: some teachers retouch what it is to be shown.

    pip install 'lptn[eye]'
    python -m lptn_cli.training.lessons PAIRS --photos DIR --identity DIR -o lessons/ --minutes 20
    lptn train NAME --pairs lessons/

PAIRS holds input/ and target/. What training holds back there, and photos that show the same, is left out.
Teachers are kept in the output folder; a run that is begun again goes on with those, and with the lessons, it
finds there.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.atomic import write_atomic
from lptn_cli.codecs import encode
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.errors import LptnError
from lptn_cli.training.data import PairData, load_pairs
from lptn_cli.training.maxim import Maxim
from lptn_cli.training.pairs import PairObjective, psnr
from lptn_cli.training.reading import pixels_of, tensor
from lptn_cli.training.renderings import unedited
from lptn_cli.training.teacher import Teacher, train
from lptn_cli.translate import Retoucher

SHORT_SIDE = 240  # pixels: of the pairs that are written
PART = 0.4, 0.7  # of the sides: parts of photos are photos too, and most of them without a sky
LEFT_ALONE = 0.5  # of what teachers would change in a photo that is good already
QUALITY = 97  # JPEG

Guest = Callable[[Tensor], Tensor]  # (1, 3, h, w) RGB in [0, 1] -> the same retouched


@dataclass(frozen=True)
class Staff:
    """Some teachers, and guests, each with a share in what those before it say."""

    teachers: Sequence[Teacher]
    guests: Sequence[tuple[Guest, float]] = ()

    def taught(self, photo: Tensor) -> Tensor:
        """What (1, 3, h, w) should become, in [0, 1]."""
        with torch.inference_mode():
            said = torch.stack([teacher(photo).clamp(0, 1) for teacher in self.teachers]).mean(0)
            for guest, share in self.guests:
                said = said.lerp(guest(photo), share)
        return said


def preset_guest(name: str) -> Guest:
    """A preset as a guest. Raises PresetError."""
    look = Retoucher(name, "cpu")
    return lambda photo: tensor(np.asarray(look(pixels_of(photo)), np.uint8)[None])


@dataclass(frozen=True)
class Lesson:
    """A photo (1, 3, h, w) to learn from, and how much of what the staff would change is wanted."""

    name: str
    photo: Tensor
    share: float = 1.0

    def taught(self, staff: Staff) -> Tensor:
        return self.photo.lerp(staff.taught(self.photo), self.share)


def lessons(data: PairData, renderings: int, parts: int, seed: int) -> Iterator[Lesson]:
    """Of the pairs, of so many flat renderings of each of the photos to restore and of so many parts of it,
    and of photos to leave alone, which are changed half as much as the teachers would.

    Half, not nothing: on a raw file's rendering that looks finished, as real ones do more often than those
    that are made flat here, a network that learned to change nothing stops short.
    """
    generator = torch.Generator().manual_seed(seed)
    for pair in data.pairs:
        yield Lesson(pair.name, tensor(pair.input[None]))
    for n in range(renderings):
        for pair in data.restore:
            yield Lesson(f"{pair.name}-flat-{n}", unedited(tensor(pair.input[None]), generator))
    for n in range(parts):
        for pair in data.restore:
            part = _part(tensor(pair.input[None]), generator)
            yield Lesson(f"{pair.name}-part-{n}", unedited(part, generator))
    for pair in data.identity:
        yield Lesson(f"{pair.name}-good", tensor(pair.input[None]), 1 - LEFT_ALONE)


def _part(photo: Tensor, generator: torch.Generator) -> Tensor:
    """A part of (1, 3, h, w) at random, PART of its sides, enlarged to its size."""
    h, w = photo.shape[2:]
    share, down, across = torch.rand(3, generator=generator).tolist()
    share = PART[0] + share * (PART[1] - PART[0])
    height, width = round(share * h), round(share * w)
    top, left = int(down * (h - height + 1)), int(across * (w - width + 1))
    part = photo[:, :, top : top + height, left : left + width]
    return F.interpolate(part, size=(h, w), mode="bicubic", align_corners=False).clamp(0, 1)


def write_pairs(taught: Iterable[Lesson], staff: Staff, folder: Path) -> None:
    """FOLDER/input and FOLDER/target, as JPEGs; pairs that are there stay. Raises WriteError."""
    taken: Counter[str] = Counter()  # photos of several folders may share a name
    for lesson in taught:
        taken[lesson.name] += 1
        name = lesson.name + (f"-{taken[lesson.name]}" if taken[lesson.name] > 1 else "")
        before, after = (folder / side / f"{name}.jpg" for side in ("input", "target"))
        for file in (before, after):
            file.parent.mkdir(parents=True, exist_ok=True)
        if not after.exists():
            write_atomic(before, _jpeg(lesson.photo), overwrite=True)
            write_atomic(after, _jpeg(lesson.taught(staff)), overwrite=True)


def _jpeg(photo: Tensor) -> bytes:
    return encode(Image(pixels_of(photo), "jpeg"), EncodeOptions("jpeg", QUALITY, "444"))


def _clock(minutes: float) -> Callable[[int], float]:
    """Progress by the time since now."""
    started = time.monotonic()
    return lambda _: (time.monotonic() - started) / (60 * minutes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    several: dict[str, Any] = {"type": Path, "action": "append", "default": []}
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--photos", **several, help="well-graded ones, to be rendered flat")
    parser.add_argument("--identity", **several, help="photos that should stay as they are")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20, help="for each teacher")
    parser.add_argument("--renderings", type=int, default=3, help="flat ones of each of the photos")
    parser.add_argument("--parts", type=int, default=1, help="of each of the photos, rendered flat")
    parser.add_argument("--seed", type=int, default=0, help="of the lessons")
    parser.add_argument("--eyes", type=int, nargs="+", default=[0, 0], help="EfficientNet-Lite of each")
    parser.add_argument("--guest", help="a preset that has a share in what is taught")
    parser.add_argument("--share", type=float, default=0.3, help="of the guest")
    parser.add_argument(
        "--maxim", type=Path, help="the models/ of @upscalerjs/maxim-retouching: a second guest"
    )
    parser.add_argument("--maxim-share", type=float, default=0.5, help="of that one, in what all others say")
    return parser.parse_args()


def _teachers(data: PairData, eyes: Sequence[int], minutes: float, folder: Path) -> list[Teacher]:
    """Teachers of the pairs, kept in the folder or trained and kept there; says how good they are."""
    objective = PairObjective(replace(data, identity=[]), torch.device("cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    teachers: list[Teacher] = []
    for n, eye in enumerate(eyes):
        kept = folder / f"teacher-{n + 1}.pt"
        if kept.exists():
            teachers.append(Teacher(eye).eval())
            teachers[-1].load_state_dict(torch.load(kept, weights_only=True))
        else:
            teachers.append(train(objective, eye, _clock(minutes), seed=n))
            buffer = io.BytesIO()
            torch.save(teachers[-1].state_dict(), buffer)
            write_atomic(kept, buffer.getvalue(), overwrite=True)
        for who, some in ((f"teacher {n + 1}", teachers[-1:]), ("all so far", teachers)):
            figures = [
                psnr(Staff(some).taught(tensor(pair.input[None])), pair.target) for pair in data.held_back
            ]
            mean = sum(figures) / len(figures)
            sys.stdout.write(f"{who}: {mean:.2f} dB on {len(figures)} held-back pairs\n")
            sys.stdout.flush()
    return teachers


def main() -> None:
    options = _options()
    guests: list[tuple[Guest, float]] = []
    if options.guest:
        guests.append((preset_guest(options.guest), options.share))
    if options.maxim:
        guests.append((Maxim(options.maxim), options.maxim_share))
    data = load_pairs(options.pairs, options.identity, options.photos, SHORT_SIDE)
    teachers = _teachers(data, options.eyes, options.minutes, options.output)
    taught = lessons(data, options.renderings, options.parts, options.seed)
    write_pairs(taught, Staff(teachers, guests), options.output)


if __name__ == "__main__":
    try:
        main()
    except LptnError as error:
        argparse.ArgumentParser().exit(error.exit_code, f"lptn: {error}\n")
