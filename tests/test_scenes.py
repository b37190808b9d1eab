"""The demo's rendered photographs: range, determinism, and the same picture at every size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from demo.scene_camera import as_raw
from demo.scenes import SCENES, render, write_demo_photos

FILES = [
    "mountains/lake.jpg",
    "mountains/ridge-16bit.png",
    "city/skyline.jpg",
    "city/street-portrait.jpg",
    "country/meadow.jpg",
    "country/village.jpg",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's input folder at a 32nd of its size."""
    place = tmp_path_factory.mktemp("demo")
    assert [p.relative_to(place).as_posix() for p in write_demo_photos(place, scale=1 / 32)] == FILES
    return place


@pytest.mark.parametrize("name", FILES)
def test_every_photo_has_lights_darks_and_colour(folder: Path, name: str) -> None:
    with Image.open(folder / name) as photo:
        pixels = np.asarray(photo.convert("RGB"), np.float32) / 255
    assert pixels.shape == ((50, 75, 3) if "ridge" in name else (68, 120, 3))
    assert float(pixels.std()) > 0.08
    assert float(np.ptp(pixels, axis=2).mean()) > 0.04


def test_the_jpegs_carry_camera_time_and_place(folder: Path) -> None:
    with Image.open(folder / FILES[0]) as lake:
        exif = lake.getexif()
        assert exif[0x010F] == "lptn demo"
        assert exif.get_ifd(0x8769)[0x9003].startswith("2025:07:12")
        assert exif.get_ifd(0x8825)[1] == "N"


def test_the_portrait_is_stored_rotated(folder: Path) -> None:
    with Image.open(folder / "city/street-portrait.jpg") as street:
        assert street.size == (120, 68)
        assert street.getexif()[0x0112] == 6


def test_the_png_has_16_bits(folder: Path) -> None:
    ridge = cv2.imread(str(folder / "mountains/ridge-16bit.png"), cv2.IMREAD_UNCHANGED)
    assert ridge is not None and ridge.dtype == np.uint16
    assert len(np.unique(ridge)) > 2000


def test_a_scene_is_the_same_each_time() -> None:
    first = render("skyline", 120, 68)
    assert first.shape == (68, 120, 3) and first.dtype == np.float32
    assert float(first.min()) >= 0.0 and float(first.max()) <= 1.0
    assert np.array_equal(first, render("skyline", 120, 68))


def test_a_scene_is_the_same_picture_at_every_size() -> None:
    small, large = render("lake", 128, 72), render("lake", 640, 360)
    error = np.mean(np.square(cv2.resize(large, (128, 72), interpolation=cv2.INTER_AREA) - small))
    assert -10 * np.log10(float(error)) > 25


def test_raw_development_is_darker_and_paler_and_keeps_the_range() -> None:
    ramp = np.random.default_rng(1).random((40, 60, 3), np.float32)
    raw = as_raw(ramp, 1)
    assert raw.shape == ramp.shape and raw.dtype == np.float32
    assert float(raw.min()) >= 0.0 and float(raw.max()) <= 1.0
    assert float(raw.mean()) < 0.8 * float(ramp.mean())
    assert float(np.ptp(raw, axis=2).mean()) < 0.8 * float(np.ptp(ramp, axis=2).mean())


def test_an_unknown_scene_is_refused() -> None:
    assert sorted(SCENES) == ["lake", "meadow", "skyline", "street", "village"]
    with pytest.raises(KeyError):
        render("moon", 32, 18)
