"""The one path a photo travels: what can go wrong on it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from lptn_cli.atomic import write_atomic
from lptn_cli.codecs.image import Image, Pixels
from lptn_cli.develop import retouch_image
from lptn_cli.errors import NoMemoryError, TooSmallError
from lptn_cli.manifest import Manifest
from lptn_cli.pipeline import retouch_one
from lptn_cli.plan import STDOUT
from lptn_cli.preset import Preset
from lptn_cli.settings import Settings
from lptn_cli.translate import Retoucher
from tests.command import load
from tests.conftest import photo
from tests.looks import Look, OnDevice, devices, failing, inverted, jobs

# Devices


def test_a_device_lends_itself_to_as_many_photos_as_it_says(settings: Settings) -> None:
    ready = devices(OnDevice(inverted, photos_at_once=3), OnDevice(failing(ValueError()), photos_at_once=1))
    with ExitStack() as held:
        lent = [held.enter_context(ready.borrow()) for _ in range(4)]
        assert ready._free.empty()
    assert [cast(Any, look).look is inverted for look in lent] == [True, False, True, True]


def test_a_photo_that_a_gpu_has_no_room_for_is_done_on_the_cpu(
    tmp_path: Path, preset: Preset, settings: Settings
) -> None:
    full = OnDevice(failing(NoMemoryError("full")), torch.device("cuda:1"), preset=preset)
    (job,) = jobs(tmp_path, 1, photo(150, 220))
    outcome = retouch_one(job, devices(full), settings, None)
    assert (outcome.status, outcome.note) == ("written", "did not fit on cuda:1; the CPU did it")
    wanted = Retoucher(preset, "cpu")(photo(150, 220), strength=1)
    np.testing.assert_array_equal(load(job.output).pixels, wanted)


def test_a_photo_that_this_machine_has_no_room_for_fails(tmp_path: Path, settings: Settings) -> None:
    (job,) = jobs(tmp_path, 1)
    outcome = retouch_one(job, devices(failing(NoMemoryError("full"))), settings, None)
    assert (outcome.status, outcome.error, outcome.message) == ("failed", "memory", "full")


# One photo


def test_a_photo_is_written_and_recorded(tmp_path: Path, settings: Settings) -> None:
    (job,) = jobs(tmp_path, 1)
    with Manifest.open(tmp_path / "out") as manifest:
        outcome = retouch_one(job, devices(inverted), settings, manifest)
        assert manifest.up_to_date(job, settings.key(job))
    assert (outcome.status, outcome.width, outcome.height, outcome.depth) == ("written", 30, 20, 8)
    assert {"decode", "look", "encode", "write"} <= outcome.ms.keys()
    np.testing.assert_array_equal(load(job.output).pixels, 255 - photo(20, 30))


def test_the_bytes_for_stdout_are_handed_on(tmp_path: Path, settings: Settings) -> None:
    (job,) = jobs(tmp_path, 1)
    outcome = retouch_one(replace(job, output=STDOUT), devices(inverted), settings, None)
    assert outcome.to_stdout.startswith(b"\x89PNG") and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (TooSmallError("too small for this preset"), "too-small", "too small for this preset"),
        (MemoryError(), "memory", "not enough memory; use fewer --jobs or a smaller photo"),
        (ValueError("of two\n  lines"), "internal", "ValueError: of two lines; please report it"),
        (RuntimeError(""), "internal", "RuntimeError: ; please report it"),
    ],
)
def test_every_error_becomes_one_line_and_a_word(
    error: Exception, kind: str, message: str, tmp_path: Path, settings: Settings
) -> None:
    (job,) = jobs(tmp_path, 1)
    ready = devices(failing(error))
    outcome = retouch_one(job, ready, settings, None)
    assert (outcome.status, outcome.error, outcome.message) == ("failed", kind, message)
    assert not job.output.exists()
    assert retouch_one(job, ready, settings, None).error == kind  # the device was given back


def test_a_photo_that_changes_or_vanishes_during_the_run(tmp_path: Path, settings: Settings) -> None:
    changed, gone = jobs(tmp_path, 2)
    changed.photo.path.write_bytes(b"other")
    gone.photo.path.unlink()
    assert retouch_one(changed, devices(inverted), settings, None).message.startswith("changed while the run")
    outcome = retouch_one(gone, devices(inverted), settings, None)
    assert (outcome.error, outcome.message) == ("read", "no longer there")


@pytest.mark.parametrize("same", [True, False])
def test_a_photo_that_another_run_places_first_is_done(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, same: bool
) -> None:
    """After the last look at the output folder and before its own file gets there."""
    (job,) = jobs(tmp_path, 1)
    other = settings if same else replace(settings, strength=0.5)
    with Manifest.open(tmp_path / "out") as ours, Manifest.open(tmp_path / "out") as theirs:

        def late(path: Path, data: bytes, **options: Any) -> None:
            monkeypatch.setattr("lptn_cli.pipeline.write_atomic", write_atomic)
            assert retouch_one(job, devices(inverted), other, theirs).status == "written"
            write_atomic(path, data, **options)

        monkeypatch.setattr("lptn_cli.pipeline.write_atomic", late)
        outcome = retouch_one(job, devices(inverted), settings, ours)
        assert outcome.status == ("up-to-date" if same else "failed"), outcome.message
    with Manifest.open(tmp_path / "out") as later:
        assert later.owns(job.output) and later.up_to_date(job, other.key(job))


def test_a_file_that_appears_during_the_run_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    (job,) = jobs(tmp_path, 1)

    def look(pixels: Pixels, **options: Any) -> Pixels:
        write_atomic(job.output, b"mine", overwrite=False)
        return pixels

    outcome = retouch_one(job, devices(look), settings, None)
    assert outcome.error == "write" and "--overwrite" in outcome.message
    assert job.output.read_bytes() == b"mine"


def test_somebody_elses_output_is_refused_before_anything_is_decoded(
    tmp_path: Path, settings: Settings
) -> None:
    (job,) = jobs(tmp_path, 1)
    write_atomic(job.output, b"mine", overwrite=False)
    with Manifest.open(tmp_path / "out") as manifest:
        outcome = retouch_one(job, devices(failing(AssertionError())), settings, manifest)
        assert outcome.error == "write" and "lptn did not write it" in outcome.message
        forced = replace(settings, overwrite=True)
        assert retouch_one(job, devices(inverted), forced, manifest).status == "written"


# Grey, alpha


def tinted(pixels: Pixels, **options: Any) -> Pixels:
    return pixels // 2 + np.array([9, 0, 0], np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_grey_photo_is_one_still_if_its_result_has_no_colour(preset: Preset, dtype: str) -> None:
    grey = Image(np.repeat(photo(20, 30, dtype)[..., :1], 3, axis=2).copy(), "png", grey=True)

    def result(image: Image, look: Look) -> Image:
        return retouch_image(image, cast(Retoucher, look), Settings(preset, 1.0))

    assert result(grey, inverted).grey
    assert not result(grey, tinted).grey
    assert not result(replace(grey, grey=False), inverted).grey


def test_alpha_is_carried_round_and_settings_reach_the_look(preset: Preset) -> None:
    alpha = np.arange(600, dtype=np.uint8).reshape(20, 30)
    heard: dict[str, Any] = {}

    def look(pixels: Pixels, **options: Any) -> Pixels:
        heard.update(options)
        return inverted(pixels)

    settings = Settings(preset, strength=0.5, light=0.2, color=None)
    result = retouch_image(Image(photo(20, 30), "png", alpha), cast(Retoucher, look), settings)
    assert result.alpha is alpha
    assert heard.pop("alpha") is alpha
    assert heard == {"strength": 0.5, "light": 0.2, "color": None, "orientation": 1, "icc": None}


def test_settings_that_change_nothing_are_not_in_the_key(preset: Preset, tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    job = replace(job, output=job.output.with_suffix(".jpg"))
    plain = Settings(preset, 1.0)
    same = (replace(plain, keep_times=True), replace(plain, overwrite=True), replace(plain, max_megapixels=9))
    others: Iterable[Settings] = (
        replace(plain, strength=0.9), replace(plain, light=1.0), replace(plain, color=1.0),
        replace(plain, quality=94), replace(plain, subsampling="444"), replace(plain, depth=8),
        replace(plain, metadata="none"), replace(plain, preset=replace(preset, sha256="0")),
        replace(plain, preset=replace(preset, native_scale=None)),
        replace(plain, preset=replace(preset, path=preset.path.with_name("renamed.toml"))),
    )  # fmt: skip
    assert {settings.key(job) for settings in same} == {plain.key(job)}
    keys = {settings.key(job) for settings in others} | {plain.key(replace(job, format="jpeg"))}
    assert len(keys | {plain.key(job)}) == 12
    lossless = replace(job, output=job.output.with_suffix(".png"))
    assert {one.key(lossless) for one in (plain, replace(plain, quality=94))} == {plain.key(lossless)}
