"""Profiles to sRGB and back."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import icc
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.ifd import EXIF_IFD, INTEROP_IFD, Field, Order, pack
from lptn_cli.codecs.image import EncodeOptions, Metadata, MetadataPolicy
from lptn_cli.codecs.metadata import prepared

from . import codec_samples as samples

WIDE = ("p3", "adobe", "prophoto")


def colours() -> icc.Floats:
    rng = np.random.default_rng(2)
    grid: icc.Floats = rng.random((40, 50, 3), dtype=np.float32)
    grid[0, :8] = [[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    return grid


def test_convention_none_and_srgb_are_srgb_and_nothing_changes() -> None:
    assert icc.is_srgb(None)
    assert icc.is_srgb(samples.profile("srgb"))
    rgb = colours()
    assert icc.to_srgb(rgb, None) is rgb and icc.from_srgb(rgb, samples.profile("srgb")) is rgb


@pytest.mark.parametrize("name", WIDE)
def test_wide_profiles_are_undone_and_not_clipped(name: str) -> None:
    profile = samples.profile(name)
    assert not icc.is_srgb(profile)
    rgb = colours()
    seen = icc.to_srgb(rgb, profile)
    assert seen.dtype == np.float32 and seen.shape == rgb.shape
    assert seen.min() < -0.05 and seen.max() > 1.01
    back = icc.from_srgb(seen, profile)
    assert np.abs(back - rgb)[rgb > 0.01].max() < 1e-4
    assert np.abs(back - rgb).max() < 2e-3


def test_white_and_grey_stay_neutral() -> None:
    ramp = np.repeat(np.linspace(0, 1, 11, dtype=np.float32)[None, :, None], 3, axis=2)
    for name in WIDE:
        seen = icc.to_srgb(ramp, samples.profile(name))
        assert np.abs(seen - seen.mean(axis=2, keepdims=True)).max() < 2e-3
        assert seen[0, -1] == pytest.approx([1, 1, 1], abs=1e-3)


def test_display_p3_red_is_the_known_value() -> None:
    red = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    assert icc.to_srgb(red, samples.profile("p3"))[0, 0, 0] == pytest.approx(1.093, abs=0.005)


def test_a_grey_profile_is_seen_as_one_of_rgb_with_its_tones() -> None:
    made = bytes(imagecodecs.cms_profile("gray", whitepoint=[0.3127, 0.329, 1.0], gamma=1.75))
    seen = icc.profile_of(Metadata(icc=made))
    assert seen == icc.profile_of(Metadata(icc=made))
    ramp = np.repeat(np.linspace(0.05, 1, 11, dtype=np.float32)[None, :, None], 3, axis=2)
    expected = 1.055 * ramp ** (1.75 / 2.4) - 0.055
    assert np.abs(icc.to_srgb(ramp, seen) - expected).max() < 0.004
    assert icc.profile_of(Metadata(icc=made[:140])) is None


@pytest.mark.parametrize("space", [b"GRAY", b"CMYK", b"Lab "])
def test_profiles_of_other_spaces_count_as_srgb(space: bytes) -> None:
    profile = bytearray(samples.profile("p3"))
    profile[16:20] = space
    assert icc.is_srgb(bytes(profile))


def test_broken_profiles_count_as_srgb_and_never_crash() -> None:
    whole = samples.profile("adobe")
    rng = np.random.default_rng(4)
    rgb = colours()[:2, :5]
    candidates = [b"", b"x" * 300, whole[:100], whole[:-200]]
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 9)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        candidates.append(bytes(damaged))
    for profile in candidates:
        result = icc.from_srgb(icc.to_srgb(rgb, profile), profile)
        assert result.shape == rgb.shape
    assert all(icc.is_srgb(profile) for profile in candidates[:4])


def dcf(index: bytes | None, space: int = 0xFFFF, order: Order = "<") -> bytes:
    """An EXIF block with a colour space and, in its interoperability directory, an index."""
    rows = [Field(0xA001, 3, 1, struct.pack(f"{order}H", space))]
    if index is not None:
        interop = (Field(1, 2, len(index) + 1, index + b"\x00"), Field(2, 7, 4, b"0100"))
        rows.append(Field(INTEROP_IFD, 4, 1, interop))
    header = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(f"{order}I", 8)
    return header + pack((Field(EXIF_IFD, 4, 1, tuple(rows)),), 8, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_camera_photo_in_adobe_rgb_without_a_profile_is_seen_as_such(order: Order) -> None:
    seen = icc.profile_of(Metadata(exif=dcf(b"R03", order=order)))
    rgb = colours()
    expected = icc.to_srgb(rgb, samples.profile("adobe"))
    np.testing.assert_allclose(icc.to_srgb(rgb, seen), expected, atol=2e-3)
    assert np.abs(expected - rgb).max() > 0.1
    assert seen is icc.profile_of(Metadata(exif=dcf(b"R03")))


@pytest.mark.parametrize(
    "exif",
    [None, b"", b"no block", dcf(None), dcf(b"R98"), dcf(b"R98", 1), dcf(b"R03")[:-30], dcf(b"R03", 1)],
)
def test_photo_that_does_not_surely_say_adobe_rgb_has_no_profile(exif: bytes | None) -> None:
    assert icc.profile_of(Metadata(exif=exif)) is None


def test_the_profile_in_the_file_goes_before_what_the_camera_says() -> None:
    assert icc.profile_of(Metadata(exif=dcf(b"R03"), icc=samples.profile())) == samples.profile()


def test_adobe_rgb_made_for_a_photo_is_the_same_at_any_time() -> None:
    profile = icc.profile_of(Metadata(exif=dcf(b"R03")))
    assert profile is not None and profile[24:36] == bytes(12)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
def test_adobe_rgb_that_only_exif_tells_is_not_written_as_a_profile(format: Format) -> None:
    image = codecs.decode(samples.file(format, Metadata(exif=dcf(b"R03"))))
    assert image.metadata.icc is None and icc.profile_of(image.metadata) is not None
    again = codecs.decode(codecs.encode(image, EncodeOptions(format)))
    assert again.metadata.icc is None and icc.profile_of(again.metadata) is not None


def test_adobe_rgb_that_only_the_camera_says_survives_the_loss_of_its_exif() -> None:
    def written(index: bytes, policy: MetadataPolicy) -> Metadata:
        image = samples.image(Metadata(exif=dcf(index)))
        return prepared(image, EncodeOptions("jpeg", metadata=policy))

    bare = written(b"R03", "none")
    assert bare.exif is None
    assert bare.icc == icc.profile_of(Metadata(exif=dcf(b"R03")))
    assert written(b"R98", "none").icc is None
    assert written(b"R03", "keep").icc is None
