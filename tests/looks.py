"""Looks that need no network, on devices that are none, and jobs for the pipeline to do with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from lptn_cli.codecs.image import Pixels
from lptn_cli.develop import Devices
from lptn_cli.discover import discover
from lptn_cli.pipeline import retouch_all
from lptn_cli.plan import Job
from lptn_cli.preset import Preset
from lptn_cli.report import Report
from lptn_cli.settings import Settings
from lptn_cli.signals import Stop
from tests.command import save
from tests.conftest import photo

Look = Callable[..., Pixels]


def inverted(pixels: Pixels, **options: Any) -> Pixels:
    return np.iinfo(pixels.dtype).max - pixels


@dataclass(frozen=True)
class OnDevice:
    """What a Retoucher offers the pipeline."""

    look: Look
    device: torch.device = torch.device("cpu")  # noqa: RUF009
    photos_at_once: int = 1
    preset: Preset | None = None
    scans: None = None

    def __call__(self, pixels: Pixels, **options: Any) -> Pixels:
        return self.look(pixels, **options)


def devices(*looks: Look | OnDevice) -> Devices:
    return Devices(cast(Any, [look if isinstance(look, OnDevice) else OnDevice(look) for look in looks]))


def failing(error: BaseException) -> Look:
    def look(pixels: Pixels, **options: Any) -> Pixels:
        raise error

    return look


def jobs(folder: Path, count: int, pixels: Pixels | None = None) -> list[Job]:
    data = photo(20, 30) if pixels is None else pixels
    for n in range(count):
        save(folder / "in" / f"{n:02d}.png", data)
    found = discover([folder / "in"])
    return [Job(n, found[n - 1], folder / "out" / f"{n:02d}.png", None) for n in range(1, count + 1)]


def run_all(
    todo: list[Job], ready: Devices, settings: Settings, *, workers: int = 3, stop: Stop | None = None,
    report: Report | None = None, max_errors: int | None = None,
) -> Report:  # fmt: skip
    report = report or Report(quiet=True, stdout=io.BytesIO())
    retouch_all(
        todo, ready, settings, None, report, workers=workers, stop=stop or Stop(), max_errors=max_errors
    )
    return report
