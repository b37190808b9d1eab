"""Camera RAW: how it is developed, the turn, what is kept of its metadata, damage, and without the extra."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import exif, icc
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.codecs.raw_exif import developed
from lptn_cli.codecs.raw_kinds import raw_kind
from lptn_cli.errors import DecodeError, PhotoError, TooLargeError, UnsupportedError

from . import camera_samples as cameras
from . import codec_samples as samples

INSIDE = (slice(4, -4), slice(4, -4))


def difference(image: Image, pixels: Any) -> Any:
    return (image.pixels / 257 - pixels)[INSIDE]


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, cameras.LOSSLESS_JPEG])
def test_it_is_developed_with_the_cameras_white_balance_to_srgb(options: dict[str, Any]) -> None:
    image = codecs.decode(cameras.dng(**options))
    assert (image.format, image.depth, image.pixels.shape) == ("raw", 16, (62, 84, 3))
    assert np.abs(difference(image, samples.photo(62, 84))).mean() < 0.5
    assert icc.is_srgb(image.metadata.icc) and image.metadata.icc is not None


def test_brightness_is_that_of_the_exposure_and_not_of_the_picture() -> None:
    dark = samples.photo(62, 84) // 3
    assert np.abs(difference(codecs.decode(cameras.dng(dark)), dark)).mean() < 0.5
    bright = samples.photo(62, 84) // 4 + 170
    assert np.abs(difference(codecs.decode(cameras.dng(bright)), bright)).mean() < 2.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_not_turned_and_the_turn_is_kept(orientation: int) -> None:
    image = codecs.decode(cameras.dng(orientation=orientation))
    assert np.abs(difference(image, samples.photo(62, 84))).mean() < 0.5
    assert image.metadata.orientation == exif.orientation(image.metadata.exif) == orientation
    for target in ("tiff", "jpeg"):
        after = codecs.decode(codecs.encode(image, EncodeOptions(target)))
        assert after.metadata.orientation == orientation and after.pixels.shape == (62, 84, 3)


def test_exif_of_the_photo_is_kept_and_that_of_the_sensors_data_is_not() -> None:
    image = codecs.decode(cameras.dng(orientation=6))
    data = codecs.encode(image, EncodeOptions("jpeg"))
    with PIL.Image.open(io.BytesIO(data)) as other:
        tags, details, place = other.getexif(), *(other.getexif().get_ifd(n) for n in (0x8769, 0x8825))
    assert (tags[271], tags[272], tags[274]) == ("Lucida", "Obscura 7", 6)
    assert (details[0x829A], details[0x8827], details[0xA434]) == (1 / 250, 400, "Lucid 35")
    assert details[0x9003] == "2024:05:06 07:08:09"
    assert place[1] == "N" and [float(part) for part in place[2]] == [52, 31, 12]
    assert (details[0xA001], details[0xA002], details[0xA003]) == (1, 84, 62)  # sRGB; this picture's size
    assert 0x927C not in details and cameras.MAKER_NOTE not in data and 0xA005 not in details
    assert not exif.says_adobe_rgb(image.metadata.exif)


def test_no_gps_takes_the_position_out() -> None:
    image = codecs.decode(cameras.dng())
    hidden = codecs.decode(codecs.encode(image, EncodeOptions("tiff", metadata="no-gps"))).metadata
    with_place = codecs.decode(codecs.encode(image, EncodeOptions("tiff"))).metadata
    assert hidden.exif is not None and with_place.exif is not None
    latitude = struct.pack("<6I", 52, 1, 31, 1, 12, 1)
    assert latitude in with_place.exif and latitude not in hidden.exif and b"Obscura" in hidden.exif


def test_ratings_are_kept_and_develop_settings_are_not_applied_twice() -> None:
    packet = codecs.decode(cameras.dng()).metadata.xmp
    assert b"crs:Exposure2012" in cameras.XMP
    assert packet is not None and b'xmp:Rating="4"' in packet and b"Exposure2012" not in packet


@pytest.mark.parametrize("make", [cameras.cr3, cameras.raf, cameras.orf, cameras.rw2])
def test_exif_of_other_makers_is_found(make: Callable[[], bytes]) -> None:
    data = make()
    assert raw_kind(data) == make.__name__.upper()
    metadata, note = developed(data, 30, 20, 8, b"profile")
    assert not note and metadata.exif is not None and metadata.icc == b"profile"
    assert exif.orientation(metadata.exif) == metadata.orientation == 8
    for words in (b"Lucida\0", b"Obscura 7\0", b"2024:05:06", b"Lucid 35\0", struct.pack("<I", 52)):
        assert words in metadata.exif
    assert cameras.MAKER_NOTE not in metadata.exif and b"R03" not in metadata.exif


@pytest.mark.parametrize(
    "data", [b"FOVb" + bytes(200), b"FUJIFILMCCD-RAW 0201" + bytes(200), cameras.cr3()[:90]]
)
def test_exif_that_cannot_be_read_is_said_to_be_lost(data: bytes) -> None:
    metadata, note = developed(data, 30, 20, 6, b"profile")
    assert metadata.exif is None and metadata.orientation == 6
    assert note == "is a RAW file whose EXIF cannot be read; it is not in the result"


def test_header_holds_before_developing() -> None:
    data = cameras.dng()
    header = codecs.read_header(data)
    assert (header.format, header.width, header.height) == ("raw", 84, 62)
    with pytest.raises(TooLargeError, match="--max-megapixels"):
        codecs.decode(data, max_pixels=84 * 62 - 1)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_never_half_a_picture(share: float) -> None:
    data = cameras.dng()
    with pytest.raises(PhotoError):
        codecs.decode(data[: int(len(data) * share)])


def test_sensor_data_that_is_cut_off_is_damage() -> None:
    data = bytearray(cameras.dng())
    at = data.rindex(struct.pack("<HHI", 273, 4, 1)) + 8
    data[at : at + 4] = struct.pack("<I", len(data) - 100)
    with pytest.raises(DecodeError, match="RAW data is truncated or corrupt"):
        codecs.decode(bytes(data))


def test_what_libraw_would_read_in_part_is_not_read() -> None:
    """It leaves the strips after the first black, without a word."""
    with pytest.raises(DecodeError, match="strips, of which only the first"):
        codecs.decode(cameras.dng(rowsperstrip=16, **cameras.LOSSLESS_JPEG))


def test_a_kind_that_libraw_does_not_know_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match=r"\(X3F\) of an unknown kind; develop it"):
        codecs.decode(b"FOVb" + bytes(2000))


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: Any) -> None:
    data = cameras.dng()
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert codecs.sniff(data) == "raw"
    with pytest.raises(PhotoError) as caught:
        codecs.decode(data)
    assert caught.value.kind == "unsupported"
    assert "(DNG)" in str(caught.value) and "pip install 'lptn[raw]'" in str(caught.value)
