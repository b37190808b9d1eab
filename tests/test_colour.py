"""Colour and depth through the whole of `lptn retouch`: every RGB space gets the look of sRGB, in 16 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from demo.scenes import render
from lptn_cli import codecs
from lptn_cli.codecs import icc
from lptn_cli.codecs.image import EncodeOptions, Format, Image, Metadata
from lptn_cli.gamut import steps, with_the_rest
from tests.codec_samples import profile
from tests.command import Retouch, load, run

NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "presets").glob("*.toml"))

WIDE = ("p3", "adobe", "prophoto", "linear")


def save_in(path: Path, rgb: icc.Floats, space: bytes | None) -> None:
    """sRGB colours in [0, 1] as a 16-bit PNG of that space."""
    levels = np.rint(icc.from_srgb(rgb, space).clip(0, 1) * 65535).astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image(levels, "png", metadata=Metadata(icc=space))
    path.write_bytes(codecs.encode(image, EncodeOptions("png")))


def seen(path: Path) -> icc.Floats:
    """The colours of a result, in sRGB, also beyond [0, 1]."""
    image = load(path)
    assert image.depth == 16
    return icc.to_srgb((image.pixels / 65535).astype(np.float32), image.metadata.icc)


def difference(one: icc.Floats, other: icc.Floats) -> float:
    """The mean CIEDE2000 between pictures in sRGB."""
    return float(deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean())  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one picture in four spaces, larger than the native scale."""
    folder = tmp_path_factory.mktemp("spaces")
    rgb = render("village", 480, 320).astype(np.float32)
    save_in(folder / "srgb.png", rgb, None)
    for space in WIDE:
        save_in(folder / f"{space}.png", rgb, profile(space))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_space_gets_the_look_that_srgb_gets(name: str, spaces: Path, tmp_path: Path) -> None:
    """Measured: 0.00 to 0.69. Without the conversion every preset is over 1 in some space."""
    assert run("retouch", spaces, "-o", tmp_path, "-p", name, "-d", "cpu").code == 0
    expected = seen(tmp_path / "srgb.png")
    for space in WIDE:
        result = tmp_path / f"{space}.png"
        assert load(result).metadata.icc == profile(space)
        print(name, space, f"{difference(seen(result), expected):.2f}")
        assert difference(seen(result), expected) <= 1, space


def test_steps_are_the_slope_of_the_curve() -> None:
    grey = np.linspace(0.05, 0.95, 19, dtype=np.float32)[None, :, None].repeat(3, axis=2)
    np.testing.assert_allclose(steps(grey, None), 1, rtol=1e-3)
    light = ((grey + 0.055) / 1.055) ** 2.4
    slope = 2.4 / 1.055 * ((grey + 0.055) / 1.055) ** 1.4
    np.testing.assert_allclose(steps(light.astype(np.float32), profile("linear")), slope, rtol=0.02)


@pytest.mark.parametrize("name", ["retouch", "summer-to-winter"])
def test_colours_that_srgb_has_not_change_nothing_beside_them(name: str, tmp_path: Path) -> None:
    """Measured beside them: 0.0; when the network saw numbers beyond sRGB, 39 and 0.8."""
    rgb, p3 = render("village", 480, 320).astype(np.float32), profile("p3")
    patch, beside = np.s_[200:, 60:300], np.s_[:, 340:]
    vivid = icc.from_srgb(rgb, p3)
    vivid[patch] = (0.1, 0.95, 0.15)
    save_in(tmp_path / "in" / "clipped.png", icc.to_srgb(vivid, p3).clip(0, 1), p3)
    save_in(tmp_path / "in" / "vivid.png", icc.to_srgb(vivid, p3), p3)
    assert run("retouch", tmp_path / "in", "-o", tmp_path, "-p", name, "-d", "cpu").code == 0
    clipped, result = seen(tmp_path / "clipped.png"), seen(tmp_path / "vivid.png")
    assert difference(result[beside], clipped[beside]) < 0.1
    least = [image[250:, 100:260, 0].max() for image in (result, clipped)]  # of red, in the green
    assert least[0] < -0.1 + least[1] if name == "retouch" else least[0] > 0.2


def test_what_the_network_did_not_see_is_left_as_far_as_colour_is() -> None:
    photo = np.array([[[-2.0, 0.9, 0.1], [0.2, 0.9, 0.1]]], np.float32)
    seen: icc.Floats = photo.clip(0, 1)
    np.testing.assert_allclose(with_the_rest(seen, photo, seen), photo, atol=1e-6)
    grey = np.full_like(photo, 0.4)
    np.testing.assert_allclose(with_the_rest(grey, photo, seen), grey, atol=1e-6)
    darker = with_the_rest(seen * np.float32(0.5), photo, seen)
    np.testing.assert_allclose(darker[0, 0, 0], -2 * 0.5**2.4, rtol=1e-5)
    np.testing.assert_allclose(darker[0, 1], 0.5 * photo[0, 1], rtol=1e-5)


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_a_smooth_gradient_of_16_bits_stays_smooth(format: Format, retouch: Retouch, tmp_path: Path) -> None:
    ramp = np.linspace(3000, 62000, 8192)[None, :, None] * np.ones((64, 1, 3))
    pixels = np.rint(ramp).astype(np.uint16)
    source = tmp_path / f"ramp{codecs.EXTENSIONS[format]}"
    source.write_bytes(codecs.encode(Image(pixels, format), EncodeOptions(format)))
    assert len(np.unique(pixels)) > 8000
    assert retouch(source, "-o", tmp_path / "out").code == 0
    result = load(tmp_path / "out" / source.name).pixels
    assert result.dtype == np.uint16 and not np.array_equal(result, pixels)
    assert min(len(np.unique(result[..., channel])) for channel in range(3)) > 4000
    steps = np.abs(np.diff(result[32].astype(int), axis=0))
    assert steps.max() < 257  # a level of 8 bits
