"""What a look is worth: figures on pairs, and on photos alone what it must do and must not break.

Conventions, each pinned by a test of its name in tests/test_evaluation.py:
    psnr             10 log10(255^2 / mean squared error) over 8-bit RGB, averaged over photos
    structure        local correlation of luminance, 9 px windows, where their deviation is over 4/255
    turned           share of strong edges (gradient over 12/255) whose gradient turns round in the result
    blotch           new gradient, in levels of 255, where the photo is flat
    border           flat greys: largest difference, in levels of 255, between the middle and any other pixel
    size             psnr between the shrunk result and the result of the shrunk photo
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lptn_cli.atomic import require_writable
from lptn_cli.codecs.image import Pixels
from lptn_cli.errors import NoPhotosError, OutputError, StartError, UsageError, WriteError
from lptn_cli.finish import shrink
from lptn_cli.luma import luma_of_planes
from lptn_cli.photos import shown
from lptn_cli.training import losses
from lptn_cli.training.data import Counted, Hear, T, held_back
from lptn_cli.training.judge import judged, load_judge
from lptn_cli.training.pictures import write_sheet
from lptn_cli.training.reading import (
    SIDES,
    Pair,
    Pixels8,
    each_once,
    each_pair,
    each_photo,
    require_folders,
    require_sides,
    tensor,
)
from lptn_cli.translate import Retoucher

TEXTURE = (4 / 255) ** 2  # variance of luminance over which a window has texture
STRONG = 12 / 255  # gradient of luminance of a strong edge
FLAT = 2 / 255  # gradient under which a photo is flat
SMALL = 320  # short side in pixels of a photo as it lies on the web
LARGEST = 1024  # short side in pixels at which photos are measured
SHEET = 24  # photos
GREYS = (32, 96, 128, 176, 224)


def evaluate(
    preset: str,
    photos: Sequence[Path],
    pairs: Path | None,
    *,
    held_back: bool = False,
    sheet: Path | None = None,
    device: str = "auto",
    note: Callable[[str], None] = lambda _: None,
    hear: Hear = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """The figures of a preset on folders of photos and on a folder of pairs, by "photos" and "pairs".

    held_back: only those that training holds back. sheet: where before and after of up to 24 photos goes, as
    a PNG. note: hears of each file that cannot be used; hear: how many photos are read so far.
    Raises NoPhotosError where there is nothing to measure, UsageError, StartError.
    """
    require_folders(photos)
    photos = each_once(photos)
    if pairs:
        require_sides(pairs)
    if sheet:
        _require_place(sheet, [*photos, *(pairs / side for side in SIDES if pairs)])
    look = Retoucher(preset, device)
    least = max(look.min_side, losses.WINDOW)
    if held_back:  # training skips smaller ones, and what it holds back depends on how many there are
        least = max(least, look.preset.native_scale or 0)

    def skip(line: str) -> None:
        note(f"skipped {line}")

    both, alone = _Taken(held_back), _Taken(held_back)
    counted = Counted(hear)
    figures: dict[str, dict[str, Any]] = {}
    if pairs:
        figures["pairs"] = on_pairs(look, both.of([counted(each_pair(pairs, LARGEST, skip, least=least))]))
        if not both.usable:
            raise NoPhotosError(f"{shown(pairs)} holds no usable pairs, as input/NAME and target/NAME")
    if photos:
        each = alone.of(counted(each_photo(folder, LARGEST, skip, least=least)) for folder in photos)
        figures["photos"] = on_photos(look, (photo.pixels for photo in each))
        if not alone.usable:
            raise NoPhotosError(f"no usable photos in {', '.join(map(shown, photos))}")
    none = [kind for kind, values in figures.items() if not values["count"]]
    if len(none) == len(figures):
        raise NoPhotosError("training holds back none of these photos; leave --held-back out")
    for kind in none:
        names = ", ".join(map(shown, [pairs] if pairs and kind == "pairs" else photos))
        note(f"training holds back none of the {kind} of {names}; leave --held-back out to measure them")
        del figures[kind]
    if sheet:
        first = [*alone.first, *both.first][:SHEET]
        with _named(sheet):
            write_sheet(sheet, [(photo, look(photo)) for photo in first])
    return figures


@dataclass
class _Taken:
    """What is measured of what is found, all or only what training holds back; how many were usable, and the
    first photos, for a sheet."""

    held_back: bool
    usable: int = 0
    first: list[Pixels8] = field(default_factory=list)

    def of(self, folders: Iterable[Iterable[T]]) -> Iterator[T]:
        for one in self._those(folders):
            if len(self.first) < SHEET:
                self.first.append(one.input if isinstance(one, Pair) else one.pixels)
            yield one

    def _those(self, folders: Iterable[Iterable[T]]) -> Iterator[T]:
        if self.held_back:
            kept, self.usable = held_back(folders)
            yield from kept
            return
        for one in chain.from_iterable(folders):
            self.usable += 1
            yield one


def _require_place(sheet: Path, folders: Sequence[Path]) -> None:
    """Now, not after all is measured. Raises UsageError: it would be a photo of these; OutputError."""
    for folder in folders:
        if sheet.resolve().is_relative_to(folder.resolve()):
            fact = f"--sheet {shown(sheet)} would lie among the photos of {shown(folder)}"
            raise UsageError(f"{fact}; give it another folder")
    with _named(sheet):
        require_writable(sheet.parent, "--sheet")


@contextmanager
def _named(file: Path) -> Iterator[None]:
    try:
        yield
    except WriteError as error:
        raise OutputError(f"cannot write {shown(file)}: {error}") from None


def on_pairs(look: Retoucher, pairs: Iterable[Pair]) -> dict[str, Any]:
    """Mean PSNR (dB), SSIM and CIEDE2000 of results against targets, and of the inputs before."""
    figures: dict[str, list[float]] = {}
    count = 0
    for pair in pairs:
        count += 1
        for suffix, result in (("", look(pair.input)), ("_before", pair.input)):
            for name, value in _against(result, pair.target).items():
                figures.setdefault(name + suffix, []).append(value)
    return {"count": count, **{name: _mean(values) for name, values in figures.items()}}


def on_photos(look: Retoucher, photos: Iterable[Pixels8]) -> dict[str, Any]:
    """What results are taken for; means of structure, turned, blotch and size; the worst border."""
    judge, accuracy = load_judge()
    before: list[str] = []
    after: list[str] = []
    figures: dict[str, list[float]] = {}
    for photo in photos:
        result = np.asarray(look(photo), np.uint8)
        before += judged(judge, [photo])
        after += judged(judge, [result])
        values = dict(zip(("structure", "turned"), structure_and_turned(photo, result), strict=True))
        values["blotch"] = blotch(photo, result)
        values["psnr_to_photo"] = psnr(result, photo)
        if min(photo.shape[:2]) >= 2 * SMALL:
            values["size"] = size_consistency(look, photo)
        for name, value in values.items():
            figures.setdefault(name, []).append(value)
    return {
        "count": len(after),
        "judged": _shares(after),
        "judged_before": _shares(before),
        "judge_accuracy": accuracy,
        **{name: _mean(values) for name, values in figures.items()},
        "border": max(border(look, grey) for grey in GREYS),
    }


def size_consistency(look: Retoucher, photo: Pixels8, short_side: int = SMALL) -> float:
    """PSNR in dB between the result, shrunk, and the result of the shrunk photo."""
    after = np.rint(shrink(look(photo), short_side) * 255)
    before = np.rint(shrink(photo, short_side) * 255).astype(np.uint8)
    return psnr(look(before), after)


def structure_and_turned(photo: Pixels8, result: Pixels8) -> tuple[float, float]:
    """Mean local correlation of luminance where the photo has texture; share of strong edges turned round."""
    before, after = (luma_of_planes(tensor(side[None])) for side in (photo, result))
    correlation = losses.local_correlation(before, after)
    textured = losses.local_variance(before) > TEXTURE
    (bx, by), (ax, ay) = _gradient(before), _gradient(after)
    strong = (bx.square() + by.square()).sqrt() > STRONG
    turned = (bx * ax + by * ay < 0) & strong
    structure = float(correlation[textured].mean()) if textured.any() else 1.0
    return structure, float(turned.sum() / strong.sum().clamp(min=1))


def blotch(photo: Pixels8, result: Pixels8) -> float:
    """Mean gradient of the result minus the photo's own, in levels of 255, where the photo is flat."""
    before, after = tensor(photo[None]), tensor(result[None])
    (bx, by), (ax, ay) = _gradient(before), _gradient(after)
    flat = ((bx.abs() + by.abs()).amax(1, keepdim=True) < FLAT).expand_as(bx)
    if not flat.any():
        return 0.0
    return 255 * float(((ax.abs() + ay.abs()) - (bx.abs() + by.abs()))[flat].mean())


def border(look: Retoucher, grey: int) -> int:
    """Largest difference in levels between the middle of a flat grey photo's result and any of its pixels."""
    result = look(np.full((480, 640, 3), grey, np.uint8)).astype(int)
    return int(np.abs(result - result[240, 320]).max())


def psnr(result: NDArray[Any], target: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB of two 8-bit photos; 100 for equal ones."""
    error = float(np.mean((result.astype(np.float64) - target) ** 2))
    return 100.0 if error == 0 else min(100.0, 10 * float(np.log10(255**2 / error)))


def _against(result: Pixels, target: Pixels8) -> Mapping[str, float]:
    try:
        from skimage.color import deltaE_ciede2000, rgb2lab
        from skimage.metrics import structural_similarity
    except ImportError:
        raise StartError("scikit-image is needed to measure pairs: pip install scikit-image") from None
    colour = deltaE_ciede2000(rgb2lab(result), rgb2lab(target))  # type: ignore[no-untyped-call]
    similarity = structural_similarity(result, target, channel_axis=2, data_range=255)  # type: ignore[no-untyped-call]
    return {
        "psnr": psnr(result, target),
        "ssim": float(similarity),
        "ciede2000": float(np.mean(colour)),
    }


def _gradient(image: Tensor) -> tuple[Tensor, Tensor]:
    corner = image[..., :-1, :-1]
    return image[..., :-1, 1:] - corner, image[..., 1:, :-1] - corner


def _shares(groups: Sequence[str]) -> dict[str, float]:
    return {group: round(n / len(groups), 3) for group, n in Counter(groups).most_common()}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else float("nan")
