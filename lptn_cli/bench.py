"""How fast this machine retouches, stage by stage: what `lptn bench` tells.

Conventions: every stage is timed in turn, RUNS times after one warm-up; wall and processor time are medians
in milliseconds; a stage on a GPU ends when the GPU has done it. `bound` is what the cores could do if nothing
ever waited: cores / processor time of a photo. A JPEG goes through this machine's decoder and encoder here,
also where `lptn retouch` has the GPU's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Image, Pixels
from lptn_cli.cores import CORES
from lptn_cli.errors import PhotoError, UsageError
from lptn_cli.photos import shown
from lptn_cli.translate import Retoucher

RUNS = 9
SIZE = (2160, 3840)
T = TypeVar("T")


def bench(preset: str, device: str = "auto", photo: Path | None = None, runs: int = RUNS) -> dict[str, Any]:
    """Figures of retouching `photo`, or a made 4K JPEG: stages in milliseconds, photos a second, their bound.

    Raises UsageError when the photo cannot be used.
    """
    look = Retoucher(preset, device)
    data = _made() if photo is None else _read(photo, look)
    watch = _Watch(look.device)
    for _ in range(runs + 1):
        image = watch.time("decode", partial(codecs.decode, data))
        result = replace(image, pixels=_looked_at(look, image.pixels, watch))
        watch.time("encode", partial(codecs.encode, result, EncodeOptions(codecs.WRITTEN_AS[image.format])))
    stages = watch.medians()
    wall = sum(stage["ms"] for stage in stages.values())
    height, width = image.pixels.shape[:2]
    return {
        "preset": look.preset.name,
        "device": str(look.device),
        "cores": CORES,
        "photo": f"{width}x{height} {image.format.upper()}",
        "stages": stages,
        "one_photo_ms": round(wall, 1),
        "photos_per_second": round(1000 / wall, 2),
        "bound": round(1000 * CORES / sum(stage["cpu_ms"] for stage in stages.values()), 2),
    }


def _looked_at(look: Retoucher, pixels: Pixels, watch: _Watch) -> Pixels:
    if look.preset.native_scale is None:
        return watch.time("look", partial(look, pixels))
    photo = look.placed(pixels)
    small = watch.time("shrink", partial(photo.shrunk, look.preset.native_scale))
    translated = watch.time("network", partial(look.affine, small))
    return watch.time("finish", partial(photo.finished, translated))


class _Watch:
    def __init__(self, device: torch.device) -> None:
        self.laps: dict[str, list[tuple[float, float]]] = {}
        self._device = device

    def time(self, stage: str, work: Callable[[], T]) -> T:
        started = time.perf_counter(), time.process_time()
        done = work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        ended = time.perf_counter(), time.process_time()
        self.laps.setdefault(stage, []).append((ended[0] - started[0], ended[1] - started[1]))
        return done

    def medians(self) -> dict[str, dict[str, float]]:
        """Wall and processor time of each stage, the warm-up left out."""
        return {
            stage: {
                key: round(1000 * statistics.median(lap[n] for lap in laps[1:]), 2)
                for n, key in enumerate(("ms", "cpu_ms"))
            }
            for stage, laps in self.laps.items()
        }


def _read(photo: Path, look: Retoucher) -> bytes:
    try:
        data = photo.read_bytes()
        pixels = codecs.decode(data).pixels
        look(pixels)  # compiled, and known to be large enough
    except OSError as error:
        raise UsageError(f"cannot read {shown(photo)}: {error.strerror}") from None
    except PhotoError as error:
        raise UsageError(f"{shown(photo)}: {error}") from None
    return data


def _made() -> bytes:
    """A 4K JPEG of soft shapes with grain, as hard to compress as a photograph."""
    numbers = np.random.default_rng(0)
    height, width = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    shapes = [np.sin(f * (x + 0.7 * y)) * np.cos(g * (y - 0.4 * x)) for f, g in ((3, 2), (5, 9), (14, 6))]
    grain = numbers.normal(0, 6, (height, width, 1))
    pixels = 120 + 60 * np.stack(shapes, axis=2) + grain
    image = Image(pixels.clip(0, 255).astype(np.uint8), "jpeg", subsampling="420")
    return codecs.encode(image, EncodeOptions("jpeg"))
