"""Photos for training, held in memory as bytes at the native scale; which of them are held back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lptn_cli.codecs import decode
from lptn_cli.codecs.icc import profile_of, to_srgb
from lptn_cli.discover import discover, is_folder
from lptn_cli.errors import PhotoError, StoppedError, TooLargeError, UsageError
from lptn_cli.finish import loops, shrink
from lptn_cli.orientation import turn_upright
from lptn_cli.photos import read, shown
from lptn_cli.signals import Stop

HELD_BACK = 0.05  # share of the photos that training never sees
FINGERPRINT = 24  # cells a side
SAME_PICTURE = 0.97  # correlation of the fingerprints of two gradings of one picture, or more
LEAST = 8  # photos on each side, below which nothing is learned
MAX_PIXELS = 250_000_000
STOPPED_EARLY = "stopped before the first step; nothing was written"
SAME_SHAPE = 0.01  # relative difference of proportions that the rounding of an export explains

Pixels8 = NDArray[np.uint8]
T = TypeVar("T", "Pair", "Named")


@dataclass(frozen=True)
class Named:
    """A photo: (h, w, 3) uint8 sRGB, upright, short side as asked; its path below its folder, no suffix."""

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


def load_pairs(
    folder: Path, identity: Sequence[Path], restore: Sequence[Path], short_side: int, stop: Stop | None = None
) -> PairData:
    """Read FOLDER/input and FOLDER/target (same names), folders of photos to leave alone and to restore.

    Photos that cannot be used are skipped and named; those that show what a held-back pair shows are left out
    in silence. Raises UsageError when too few are left to train on, StoppedError.
    """
    skipped: list[str] = []
    pairs = load_sides(folder, short_side, skipped, stop=stop)
    if len(pairs) < LEAST:
        fact = f"{folder} holds {len(pairs)} usable pairs"
        raise UsageError(f"{fact}; training needs {LEAST}, as input/NAME and target/NAME")
    train, held = split(pairs)
    secret = np.stack([_fingerprint(pair.target) for pair in held])
    kept, restored = (
        [
            Pair(name, pixels, pixels)
            for part in folders
            for name, pixels in _load(part, short_side, skipped, stop=stop)
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
    folder: Path, short_side: int, skipped: list[str], *, least: int | None = None, stop: Stop | None = None
) -> list[Pair]:
    """The pairs of FOLDER/input and FOLDER/target, by name; what cannot be used goes to `skipped`.

    Where one side was exported smaller, both have its size. `least`, `stop`: as of `load_photos`.
    """
    inputs, targets = (
        _by_name(_load(folder / side, short_side, skipped, least=least, stop=stop), folder / side, skipped)
        for side in ("input", "target")
    )
    pairs = []
    for name in sorted(inputs.keys() | targets.keys()):
        if name not in inputs or name not in targets:
            missing = "target" if name in inputs else "input"
            skipped.append(f"{shown(folder / name)}: has no usable partner in {missing}/")
        elif (both := _of_one_shape(inputs[name], targets[name])) is None:
            skipped.append(f"{shown(folder / name)}: input and target have different shapes")
        else:
            pairs.append(Pair(name, *both))
    return pairs


def _by_name(photos: Iterator[tuple[str, Pixels8]], folder: Path, skipped: list[str]) -> dict[str, Pixels8]:
    found: dict[str, Pixels8] = {}
    for name, pixels in photos:
        if name in found:
            skipped.append(f"{shown(folder / name)}: is there twice; the first file in order of name is used")
        else:
            found[name] = pixels
    return found


def _of_one_shape(one: Pixels8, other: Pixels8) -> tuple[Pixels8, Pixels8] | None:
    """Both at the lesser height and width, if they have the same proportions."""
    ratio = one.shape[1] * other.shape[0] / (one.shape[0] * other.shape[1])
    if abs(ratio - 1) > SAME_SHAPE:
        return None
    height, width = (min(one.shape[side], other.shape[side]) for side in (0, 1))
    return _resized(one, height, width), _resized(other, height, width)


def _resized(pixels: Pixels8, height: int, width: int) -> Pixels8:
    if pixels.shape[:2] == (height, width):
        return pixels
    return _levels(loops().area_average(pixels, height, width, 1))


@dataclass(frozen=True)
class GroupData:
    """Photos of the look a preset starts from and of the look it leads to, with no correspondence."""

    photos: Sequence[Pixels8]
    targets: Sequence[Pixels8]
    held_back: Sequence[Pixels8]  # of the photos
    skipped: Sequence[str]
    identity: Sequence[Pair] = ()  # photos that should stay as they are


def load_groups(
    photos: Sequence[Path],
    targets: Sequence[Path],
    identity: Sequence[Path],
    short_side: int,
    stop: Stop | None = None,
) -> GroupData:
    """Read folders of photos on both sides, and of photos to leave alone.

    Raises UsageError when too few are left to train on, StoppedError.
    """
    skipped: list[str] = []
    parts = []
    for folders in (photos, targets, identity):
        train: list[Named] = []
        held: list[Named] = []
        for folder in folders:
            learned, kept = split(load_photos(folder, short_side, skipped, stop=stop))
            train, held = [*train, *learned], [*held, *kept]
        parts.append((train, held))
    for folders, (train, held) in zip((photos, targets), parts, strict=False):
        if len(train) + len(held) < LEAST:
            names, count = ", ".join(map(str, folders)), len(train) + len(held)
            raise UsageError(f"{names}: {count} usable photos; training needs {LEAST} on each side")
    (train, held), (wanted, _), (same, _) = parts
    if not held:  # each folder is a small one
        held.append(train.pop(min(range(len(train)), key=lambda n: _rank(train[n]))))
    return GroupData(
        [photo.pixels for photo in train],
        [photo.pixels for photo in wanted],
        [photo.pixels for photo in held],
        skipped,
        [Pair(photo.name, photo.pixels, photo.pixels) for photo in same],
    )


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)


def pixels_of(image: Tensor) -> Pixels8:
    """(1, 3, h, w) in [0, 1], what leaves the range clamped -> (h, w, 3) uint8: the way back of `tensor`."""
    levels: Pixels8 = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return levels


def load_photos(
    folder: Path,
    short_side: int,
    skipped: list[str] | None = None,
    *,
    least: int | None = None,
    stop: Stop | None = None,
) -> list[Named]:
    """The photos below a folder. Those that cannot be used are left out, and named in `skipped`.

    least: the shortest short side that is taken, `short_side` unless given. Raises UsageError (no such
    folder), StoppedError when `stop` asks for it.
    """
    left_out = [] if skipped is None else skipped
    return [
        Named(name, pixels) for name, pixels in _load(folder, short_side, left_out, least=least, stop=stop)
    ]


def _load(
    folder: Path, short_side: int, skipped: list[str], *, least: int | None = None, stop: Stop | None = None
) -> Iterator[tuple[str, Pixels8]]:
    """Name (path below the folder, no suffix) and pixels of each photo, in order; see `load_photos`."""
    least = least or short_side
    if not is_folder(folder):
        raise UsageError(f"there is no folder {shown(folder)}")
    for photo in discover([folder]):
        if stop and stop.asked:
            raise StoppedError(STOPPED_EARLY)
        try:
            image = decode(read(photo), max_pixels=MAX_PIXELS)
        except TooLargeError:
            skipped.append(f"{shown(photo.path)}: has more than {MAX_PIXELS // 10**6} megapixels")
            continue
        except PhotoError as error:
            skipped.append(f"{shown(photo.path)}: {error}")
            continue
        if min(image.pixels.shape[:2]) < least:
            skipped.append(f"{shown(photo.path)}: its short side is under {least} pixels")
            continue
        small = turn_upright(shrink(image.pixels, short_side), image.metadata.orientation)
        name = photo.relative.with_suffix("").as_posix()
        yield name, _levels(to_srgb(small, profile_of(image.metadata)).clip(0, 1))


def _levels(image: NDArray[np.float32]) -> Pixels8:
    return np.ascontiguousarray(np.rint(image * 255).astype(np.uint8))


def split(photos: Sequence[T]) -> tuple[list[T], list[T]]:
    """Training and held-back photos of one folder: by a hash of the name, so that every run holds back the
    same ones; of LEAST photos or more at least one, and no more than half."""
    ranked = sorted(photos, key=_rank)
    held = min(sum(_rank(photo) < HELD_BACK for photo in ranked), len(ranked) // 2)
    if not held and len(ranked) >= LEAST:
        held = 1
    return ranked[held:], ranked[:held]


def _rank(photo: Pair | Named) -> float:
    """A number from 0 to 1 that depends on the photo's own name alone, whichever folder above was given."""
    digest = hashlib.sha256(PurePath(photo.name).name.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
