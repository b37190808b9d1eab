"""Photos of folders and pairs of two, read one at a time: uint8 sRGB, upright, the short side as asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lptn_cli.codecs import decode
from lptn_cli.codecs.icc import profile_of, to_srgb
from lptn_cli.discover import discover, is_folder
from lptn_cli.errors import PhotoError, StoppedError, TooLargeError, UsageError
from lptn_cli.finish import loops, shrink
from lptn_cli.luma import luma_of_planes
from lptn_cli.orientation import turn_upright
from lptn_cli.photos import MANIFEST, OWN_PICTURES, PARTS, TRAINING, Photo, read, shown
from lptn_cli.signals import Stop
from lptn_cli.training.losses import local_correlation, local_variance

MAX_PIXELS = 250_000_000
STOPPED_EARLY = "stopped before the first step; nothing was written"
MADE = (MANIFEST, OWN_PICTURES, PARTS)  # files that mark a folder of lptn's own pictures or results
SIDES = ("input", "target")  # of a folder of pairs
SAME_SHAPE = 0.01  # relative difference of proportions that the rounding of an export explains
# Median local correlation of luminance, whichever sign, of two pictures of one thing. All of 880 retouched
# pairs have 0.90 or more, night, winter and sunset 0.95; with 5 % of the target's sides cut off it is at most
# 0.6, moved by 1 % 0.65, of other photos 0.3.
LIKENESS = 0.7
COMPARED = 240  # short side in pixels at which pictures are compared: a pixel's offset is not seen
TEXTURE = 5e-4  # variance of luminance over which a window says something of the picture
SOME = 1e-5  # and that which a dark target must have left there, (0.8 / 255)^2
ENOUGH = 0.02  # share of such windows; of clouds and fog nothing can be said
ROUNDING = 1e-6  # variance that comes from rounding to levels

Pixels8 = NDArray[np.uint8]
Skip = Callable[[str], object]  # hears of each photo that cannot be used, a line with the reason


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


def load_photos(folder: Path, short_side: int) -> list[Named]:
    """All that `each_photo` finds; what cannot be used is passed over."""
    return list(each_photo(folder, short_side, lambda _: None))


def each_photo(
    folder: Path, short_side: int, skip: Skip, *, least: int | None = None, stop: Stop | None = None
) -> Iterator[Named]:
    """The photos below a folder, each read in its turn. Those that cannot be used go to `skip`.

    least: the shortest short side that is taken, `short_side` unless given. Raises UsageError (no such
    folder), StoppedError when `stop` asks for it.
    """
    for photo in _below(folder):
        for pixels in _usable([photo], short_side, skip, least, stop):
            yield Named(_name(photo), pixels)


def require_folders(folders: Sequence[Path]) -> None:
    """Raises UsageError, with the name of the first that is not there."""
    for folder in folders:
        if not is_folder(folder):
            raise UsageError(f"there is no folder {shown(folder)}")


def require_apart(photos: Sequence[Path], others: Mapping[str, Sequence[Path]]) -> None:
    """Raises UsageError: one is not there; one of --from is, holds or lies in one of `others`, by option."""
    named = [(option, folder) for option, folders in others.items() for folder in folders]
    require_folders([*photos, *(folder for _, folder in named)])
    for folder in photos:
        for option, other in named:
            ours, theirs = folder.resolve(), other.resolve()
            if ours == theirs:
                fact = f"{shown(folder)} is given as --from and as {option}"
                raise UsageError(f"{fact}; give each photo on one side alone")
            if _holds(ours, theirs) or _holds(theirs, ours):
                fact = f"{shown(folder)} of --from and {shown(other)} of {option} lie one in the other"
                raise UsageError(f"{fact}; give folders that share no photos")


def each_once(folders: Sequence[Path]) -> list[Path]:
    """The folders without those that are given twice, or lie in another of them, whose photos they hold."""
    found = {folder.resolve(): folder for folder in folders}
    return [folder for place, folder in found.items() if not any(_holds(other, place) for other in found)]


def _holds(folder: Path, other: Path) -> bool:
    """Whether the photos of `other` are found in `folder` too, both real paths: what is hidden and what lptn
    made are passed over there."""
    if folder not in other.parents:
        return False
    way = [one for one in (other, *other.parents) if folder in one.parents]
    hidden = any(one.name[0] == "." or one.name == TRAINING for one in way)
    return not hidden and not any(os.path.lexists(one / mark) for one in way for mark in MADE)


def require_sides(folder: Path) -> None:
    """Raises UsageError: this is no folder of pairs."""
    require_folders([folder])
    for side in SIDES:
        if not is_folder(folder / side):
            what = "pairs lie in input/ and target/, each photo under the same name in both"
            raise UsageError(f"{shown(folder)} has no folder {side}/; {what}")


def _below(folder: Path) -> list[Photo]:
    require_folders([folder])
    return discover([folder])


def _name(photo: Photo) -> str:
    return photo.relative.with_suffix("").as_posix()


def _usable(
    photos: Sequence[Photo], short_side: int, skip: Skip, least: int | None, stop: Stop | None
) -> Iterator[Pixels8]:
    """Those that can be used, upright in sRGB, their short side as asked; the others go to `skip`."""
    least = least or short_side
    for photo in photos:
        if stop and stop.asked:
            raise StoppedError(STOPPED_EARLY)
        try:
            image = decode(read(photo), max_pixels=MAX_PIXELS)
        except TooLargeError:
            skip(f"{shown(photo.path)}: has more than {MAX_PIXELS // 10**6} megapixels")
            continue
        except PhotoError as error:
            skip(f"{shown(photo.path)}: {error}")
            continue
        if min(image.pixels.shape[:2]) < least:
            skip(f"{shown(photo.path)}: its short side is under {least} pixels")
            continue
        small = turn_upright(shrink(image.pixels, short_side), image.metadata.orientation)
        yield _levels(to_srgb(small, profile_of(image.metadata)).clip(0, 1))


def _levels(image: NDArray[np.float32]) -> Pixels8:
    return np.ascontiguousarray(np.rint(image * 255).astype(np.uint8))


def each_pair(
    folder: Path, short_side: int, skip: Skip, *, least: int | None = None, stop: Stop | None = None
) -> Iterator[Pair]:
    """The pairs of FOLDER/input and FOLDER/target by name, each read in its turn; what cannot be used, and
    pairs that do not show the same, go to `skip`.

    Where one side was exported smaller, both have its size. `least`, `stop`: as of `each_photo`.
    """
    require_sides(folder)
    sides = {side: _by_name(folder / side) for side in SIDES}
    for name in sorted(set().union(*sides.values())):
        found = {}
        for side, photos in sides.items():
            usable = _usable(photos.get(name, []), short_side, skip, least, stop)
            if (pixels := next(usable, None)) is not None:
                found[side] = pixels
            if next(usable, None) is not None:
                fact = "is there twice; the first file in order of name is used"
                skip(f"{shown(folder / side / name)}: {fact}")
        if len(found) < len(sides):
            for photos, missing in zip(sides.values(), reversed(SIDES), strict=True):
                if name not in sides[missing]:
                    skip(f"{shown(photos[name][0].path)}: has no partner in {missing}/")
        elif (both := _of_one_shape(found["input"], found["target"])) is None:
            skip(f"{shown(folder / name)}: input and target have different shapes")
        elif not _same_picture(*both):
            fact = (
                "input and target do not show the same; were they cropped apart, or are they of two photos?"
            )
            skip(f"{shown(folder / name)}: {fact}")
        else:
            yield Pair(name, *both)


def _by_name(folder: Path) -> dict[str, list[Photo]]:
    found: dict[str, list[Photo]] = {}
    for photo in _below(folder):
        found.setdefault(_name(photo), []).append(photo)
    return found


def _of_one_shape(one: Pixels8, other: Pixels8) -> tuple[Pixels8, Pixels8] | None:
    """Both at the lesser height and width, if they have the same proportions."""
    ratio = one.shape[1] * other.shape[0] / (one.shape[0] * other.shape[1])
    if abs(ratio - 1) > SAME_SHAPE:
        return None
    height, width = (min(one.shape[side], other.shape[side]) for side in (0, 1))
    return _resized(one, height, width), _resized(other, height, width)


def _same_picture(one: Pixels8, other: Pixels8) -> bool:
    """Whether both, of one size, show the same at the same places, however it looks."""
    height, width = one.shape[:2]
    scale = min(1.0, COMPARED / min(height, width))
    size = round(scale * height), round(scale * width)
    before, after = (luma_of_planes(tensor(_resized(side, *size)[None])) for side in (one, other))
    telling = (local_variance(before) > TEXTURE) & (local_variance(after) > SOME)
    if telling.float().mean() < ENOUGH:
        return True
    return float(local_correlation(before, after, least=ROUNDING)[telling].abs().median()) > LIKENESS


def _resized(pixels: Pixels8, height: int, width: int) -> Pixels8:
    if pixels.shape[:2] == (height, width):
        return pixels
    return _levels(loops().area_average(pixels, height, width, 1))


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)


def pixels_of(image: Tensor) -> Pixels8:
    """(1, 3, h, w) in [0, 1], what leaves the range clamped -> (h, w, 3) uint8: the way back of `tensor`."""
    levels: Pixels8 = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return levels
