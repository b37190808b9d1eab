"""What a run learns from, held in memory as bytes at the native scale, and which of it is held back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray

from lptn_cli.errors import UsageError
from lptn_cli.photos import shown
from lptn_cli.signals import Stop
from lptn_cli.training.reading import (
    Named,
    Pair,
    Pixels8,
    each_once,
    each_pair,
    each_photo,
    require_folders,
    require_sides,
    tensor,
)

HELD_BACK = 0.05  # share of the photos that training never sees
FINGERPRINT = 24  # cells a side
SAME_PICTURE = 0.97  # correlation of the fingerprints of two gradings of one picture, or more
GREY, TONED = 1, 4  # levels between the channels, on average: at most, of no colour; over, of clear colour
SOME_TONED = 0.1, 0.01  # share of the grey inputs and of all; fewer get colour by mistake
LEAST = 8  # photos on each side, below which nothing is learned

T = TypeVar("T", "Pair", "Named")
Fingerprints = NDArray[np.float32]  # one, or a row of each
Hear = Callable[[str], object]  # of how far something is that takes a while


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

    @property
    def tones(self) -> bool:
        """Whether photos without colour get some."""
        pairs = (*self.pairs, *self.held_back)
        grey = [pair for pair in pairs if _colour(pair.input) <= GREY]
        toned = sum(_colour(pair.target) > TONED for pair in grey)
        of_grey, of_all = SOME_TONED
        return toned > 0 and toned >= max(of_grey * len(grey), of_all * len(pairs))


def load_pairs(
    folder: Path,
    identity: Sequence[Path],
    restore: Sequence[Path],
    short_side: int,
    stop: Stop | None = None,
    hear: Hear = lambda _: None,
) -> PairData:
    """Read FOLDER/input and FOLDER/target (same names), folders of photos to leave alone and to restore.

    Photos that cannot be used are skipped and named; those that show what is held back, under another name
    or in another grading, are left out in silence (see `_unlike`). Raises UsageError when a folder is
    missing or teaches nothing, StoppedError.
    """
    require_sides(folder)
    require_folders([*identity, *restore])
    skipped: list[str] = []
    counted = Counted(hear)
    pairs = list(counted(each_pair(folder, short_side, skipped.append, stop=stop)))
    if len(pairs) < LEAST:
        fact = f"{shown(folder)} holds {len(pairs)} usable pairs; training needs {LEAST}"
        raise UsageError(fact + _why(skipped))
    train, held = split(pairs)
    (same, held_same), (good, _) = (
        _split_each(folders, lambda part: counted(_some(part, short_side, skipped, stop)))
        for folders in (identity, restore)
    )
    held_same_pairs = _unchanged(held_same)
    secret = np.stack([_fingerprint(pair.target) for pair in (*held, *held_same_pairs)])
    train, kept, restored = (_unlike(secret, part) for part in (train, _unchanged(same), _unchanged(good)))
    return PairData(train, kept, restored, held, held_same_pairs, skipped)


def _unlike(secret: Fingerprints, pairs: Sequence[Pair]) -> list[Pair]:
    """Those that show none of these pictures; all, where most show one: a series of one composition."""
    unlike = [pair for pair in pairs if (secret @ _fingerprint(pair.target)).max() < SAME_PICTURE]
    return unlike if 2 * len(unlike) >= len(pairs) else list(pairs)


class Counted:
    """Passes on photos, or pairs of two, and tells how many they are so far."""

    def __init__(self, hear: Hear) -> None:
        self._hear, self._so_far = hear, 0

    def __call__(self, photos: Iterable[T]) -> Iterator[T]:
        for photo in photos:
            self._so_far += 1
            self._hear(f"reading the photos, {self._so_far} so far")
            yield photo


def _some(folder: Path, short_side: int, skipped: list[str], stop: Stop | None) -> Iterator[Named]:
    """`each_photo`. Raises UsageError also when there is none."""
    before, some = len(skipped), False
    for photo in each_photo(folder, short_side, skipped.append, stop=stop):
        some = True
        yield photo
    if not some:
        remedy = "give another folder or leave it out"
        raise UsageError(f"no usable photos in {shown(folder)}; {remedy}" + _why(skipped[before:]))


def _why(skipped: Sequence[str]) -> str:
    return f"; {len(skipped)} cannot be used, the first: {skipped[0]}" if skipped else ""


def _colour(pixels: Pixels8) -> float:
    """Mean difference in levels between the highest and the lowest channel."""
    some = pixels[::2, ::2].astype(np.int16)
    return float((some.max(2) - some.min(2)).mean())


def _fingerprint(pixels: Pixels8) -> Fingerprints:
    """The light of a photo on 24x24 cells, less its mean, at length 1: its product with another's is their
    correlation, which survives any grading."""
    grey: Fingerprints = F.adaptive_avg_pool2d(tensor(pixels[None]).mean(1), FINGERPRINT).numpy()
    grey = (grey - grey.mean()).ravel()
    return grey / max(float(np.linalg.norm(grey)), 1e-6)


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
    hear: Hear = lambda _: None,
) -> GroupData:
    """Read folders of photos on both sides, and of photos to leave alone.

    Raises UsageError when a folder is missing or teaches nothing, StoppedError.
    """
    require_folders([*photos, *targets, *identity])
    skipped: list[str] = []
    counted = Counted(hear)

    def found(folder: Path) -> Iterator[Named]:
        return counted(each_photo(folder, short_side, skipped.append, stop=stop))

    parts = [_split_each(folders, found) for folders in (photos, targets)]
    same, _ = _split_each(identity, lambda folder: counted(_some(folder, short_side, skipped, stop)))
    for folders, (train, held) in zip((photos, targets), parts, strict=True):
        usable = len(train) + len(held)
        if usable < LEAST:
            names = ", ".join(map(shown, folders))
            fact = f"{names}: {usable} usable photos; training needs {LEAST} on each side"
            raise UsageError(fact + _why(skipped))
    (train, held), (wanted, _) = parts
    if not held:  # each folder is a small one
        held.append(train.pop(min(range(len(train)), key=lambda n: _rank(train[n]))))
    return GroupData(
        [photo.pixels for photo in train],
        [photo.pixels for photo in wanted],
        [photo.pixels for photo in held],
        skipped,
        _unchanged(same),
    )


def _split_each(
    folders: Sequence[Path], read: Callable[[Path], Iterable[Named]]
) -> tuple[list[Named], list[Named]]:
    """Training and held-back photos, folder by folder."""
    train: list[Named] = []
    held: list[Named] = []
    for folder in each_once(folders):
        learned, kept = split(read(folder))
        train, held = [*train, *learned], [*held, *kept]
    return train, held


def _unchanged(photos: Sequence[Named]) -> list[Pair]:
    """Pairs of photos that should stay as they are."""
    return [Pair(photo.name, photo.pixels, photo.pixels) for photo in photos]


def split(photos: Iterable[T]) -> tuple[list[T], list[T]]:
    """Training and held-back photos of one folder: by a hash of the name, so that every run holds back the
    same ones; of LEAST photos or more at least one, and no more than half."""
    ranked = sorted(photos, key=_rank)
    held = _number_held(sum(_rank(photo) < HELD_BACK for photo in ranked), len(ranked))
    return ranked[held:], ranked[:held]


def held_back(folders: Iterable[Iterable[T]]) -> tuple[list[T], int]:
    """What training holds back of these folders; how many photos they hold, which may exceed memory."""
    held: list[T] = []
    lowest: list[T] = []
    total = 0
    for folder in folders:
        low, count = _low(folder)
        held += low[: _number_held(sum(_rank(photo) < HELD_BACK for photo in low), count)]
        lowest += low[:1]
        total += count
    if not held and total >= LEAST:  # each folder is a small one
        held = [min(lowest, key=_rank)]
    return held, total


def _low(photos: Iterable[T]) -> tuple[list[T], int]:
    """By rank, the photo of the lowest and all others under HELD_BACK; how many there are in all."""
    low: list[T] = []
    count = 0
    for photo in photos:
        count += 1
        low.append(photo)
        low.sort(key=_rank)
        low = [one for n, one in enumerate(low) if not n or _rank(one) < HELD_BACK]
    return low, count


def _number_held(low: int, count: int) -> int:
    """low: how many have a rank under HELD_BACK."""
    held = min(low, count // 2)
    return 1 if not held and count >= LEAST else held


def _rank(photo: Pair | Named) -> float:
    """A number from 0 to 1 that depends on the photo's own name alone, whichever folder above was given."""
    digest = hashlib.sha256(PurePath(photo.name).name.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
