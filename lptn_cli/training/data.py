"""Photos for training, held in memory as bytes at the native scale; which of them are held back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lptn_cli.codecs import SUFFIXES, decode
from lptn_cli.codecs.icc import profile_of, to_srgb
from lptn_cli.errors import PhotoError, UsageError
from lptn_cli.finish import shrink
from lptn_cli.orientation import turn_upright

HELD_BACK = 0.05  # share of the photos that training never sees
FINGERPRINT = 24  # cells a side
SAME_PICTURE = 0.97  # correlation of the fingerprints of two gradings of one picture, or more
LEAST = 8  # photos on each side, below which nothing is learned
MAX_PIXELS = 250_000_000

Pixels8 = NDArray[np.uint8]
T = TypeVar("T", "Pair", "Named")


@dataclass(frozen=True)
class Named:
    """A photo by its file's stem: (h, w, 3) uint8 sRGB, upright, short side as asked."""

    name: str
    pixels: Pixels8


@dataclass(frozen=True)
class Pair:
    """A photo and what it should become: (h, w, 3) uint8 sRGB each, upright, short side the native scale."""

    name: str
    input: Pixels8
    target: Pixels8

    @property
    def is_wide(self) -> bool:
        return bool(self.input.shape[1] >= self.input.shape[0])


@dataclass(frozen=True)
class PairData:
    """What a run on pairs works with.

    `identity` holds photos that should stay as they are, `restore` photos to be brought back when they are
    shown as a camera's unedited rendering.
    """

    pairs: Sequence[Pair]
    identity: Sequence[Pair]
    restore: Sequence[Pair]
    held_back: Sequence[Pair]
    held_back_identity: Sequence[Pair]
    skipped: Sequence[str]  # one line for each photo that was left out, with the reason


def load_pairs(folder: Path, identity: Sequence[Path], restore: Sequence[Path], short_side: int) -> PairData:
    """Read FOLDER/input and FOLDER/target (same file stems), folders of photos to leave alone and to restore.

    Photos that cannot be used are skipped and named; those that show what a held-back pair shows are left out
    in silence. Raises UsageError when too few are left to train on.
    """
    skipped: list[str] = []
    pairs = load_sides(folder, short_side, skipped)
    if len(pairs) < LEAST:
        fact = f"{folder} holds {len(pairs)} usable pairs"
        raise UsageError(f"{fact}; training needs {LEAST}, as input/NAME and target/NAME")
    train, held = split(pairs)
    secret = np.stack([_fingerprint(pair.target) for pair in held])
    kept, restored = (
        [
            Pair(stem, pixels, pixels)
            for part in folders
            for stem, pixels in _load(part, short_side, skipped)
            if (secret @ _fingerprint(pixels)).max() < SAME_PICTURE
        ]
        for folders in (identity, restore)
    )
    train_identity, held_identity = split(kept)
    train_restore, _ = split(restored)
    return PairData(train, train_identity, train_restore, held, held_identity, skipped)


def _fingerprint(pixels: Pixels8) -> NDArray[np.float32]:
    """The light of a photo on 24x24 cells, less its mean, at length 1: its product with another's is their
    correlation, which survives any grading."""
    grey: NDArray[np.float32] = F.adaptive_avg_pool2d(tensor(pixels[None]).mean(1), FINGERPRINT).numpy()
    grey = (grey - grey.mean()).ravel()
    return grey / max(float(np.linalg.norm(grey)), 1e-6)


def load_sides(
    folder: Path, short_side: int, skipped: list[str] | None = None, *, smaller: bool = False
) -> list[Pair]:
    """The pairs of FOLDER/input and FOLDER/target, by file stem; what cannot be used goes to `skipped`."""
    left_out = [] if skipped is None else skipped
    inputs, targets = (
        dict(_load(folder / side, short_side, left_out, smaller=smaller)) for side in ("input", "target")
    )
    pairs = []
    for stem in sorted(inputs.keys() | targets.keys()):
        if stem not in inputs or stem not in targets:
            missing = "target" if stem in inputs else "input"
            left_out.append(f"{folder / stem}: has no usable partner in {missing}/")
        elif inputs[stem].shape != targets[stem].shape:
            left_out.append(f"{folder / stem}: input and target have different shapes")
        else:
            pairs.append(Pair(stem, inputs[stem], targets[stem]))
    return pairs


@dataclass(frozen=True)
class GroupData:
    """Photos of the look a preset starts from and of the look it leads to, with no correspondence."""

    photos: Sequence[Pixels8]
    targets: Sequence[Pixels8]
    held_back: Sequence[Pixels8]  # of the photos
    skipped: Sequence[str]
    identity: Sequence[Pair] = ()  # photos that should stay as they are


def load_groups(
    photos: Sequence[Path], targets: Sequence[Path], identity: Sequence[Path], short_side: int
) -> GroupData:
    """Read folders of photos on both sides, and of photos to leave alone.

    Raises UsageError when too few are left to train on.
    """
    skipped: list[str] = []
    sides = []
    for folders in (photos, targets):
        side = [Pair(s, p, p) for f in folders for s, p in _load(f, short_side, skipped)]
        if len(side) < LEAST:
            names = ", ".join(map(str, folders))
            raise UsageError(f"{names}: {len(side)} usable photos; training needs {LEAST} on each side")
        sides.append(side)
    train, held = split(sides[0])
    wanted, _ = split(sides[1])
    alone, _ = split([Pair(s, p, p) for f in identity for s, p in _load(f, short_side, skipped)])
    return GroupData(
        [pair.input for pair in train],
        [pair.input for pair in wanted],
        [pair.input for pair in held],
        skipped,
        alone,
    )


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)


def pixels_of(image: Tensor) -> Pixels8:
    """(1, 3, h, w) in [0, 1], what leaves the range clamped -> (h, w, 3) uint8: the way back of `tensor`."""
    levels: Pixels8 = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return levels


def _load(
    folder: Path, short_side: int, skipped: list[str], *, smaller: bool = False
) -> Iterator[tuple[str, Pixels8]]:
    """Stem and pixels of each photo of a folder, in order of name; `smaller` ones are taken only if asked."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        try:
            image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
        except (PhotoError, OSError) as error:
            skipped.append(f"{path}: {error}")
            continue
        if not smaller and min(image.pixels.shape[:2]) < short_side:
            skipped.append(f"{path}: its short side is under {short_side} pixels")
            continue
        small = turn_upright(shrink(image.pixels, short_side), image.metadata.orientation)
        rgb = to_srgb(small, profile_of(image.metadata)).clip(0, 1)
        yield path.stem, np.ascontiguousarray(np.rint(rgb * 255).astype(np.uint8))


def load_photos(
    folder: Path, short_side: int, skipped: list[str] | None = None, *, smaller: bool = False
) -> list[Named]:
    """The photos of a folder. Those that cannot be used are left out, and named in `skipped`."""
    left_out = [] if skipped is None else skipped
    return [Named(stem, pixels) for stem, pixels in _load(folder, short_side, left_out, smaller=smaller)]


def split(photos: Sequence[T]) -> tuple[list[T], list[T]]:
    """Training and held-back photos: by a hash of the name, so that every run holds back the same ones."""
    ranked = sorted(photos, key=_rank)
    count = sum(_rank(photo) < HELD_BACK for photo in ranked)
    held = max(1, count) if ranked else 0
    return ranked[held:], ranked[:held]


def _rank(photo: Pair | Named) -> float:
    """A number from 0 to 1 that depends on the photo's name alone."""
    digest = hashlib.sha256(photo.name.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
