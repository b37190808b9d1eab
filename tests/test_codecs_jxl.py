"""JPEG XL: pixels, depths, metadata in boxes, those made of a JPEG, colours, damage."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import icc, jxl, jxl_header
from lptn_cli.codecs.image import EncodeOptions, Metadata
from lptn_cli.codecs.jxl_header import Codestream, Colours, read_codestream
from lptn_cli.errors import DecodeError, TooLargeError, UnsupportedError

from . import camera_samples as cameras
from . import codec_samples as samples


@pytest.mark.parametrize(
    ("height", "width"),
    [(61, 83), (64, 64), (48, 64), (300, 450), (256, 256), (144, 256), (7, 9000), (2000, 3)],
)
def test_size_in_all_its_spellings(height: int, width: int) -> None:
    header = codecs.read_header(cameras.jxl(np.zeros((height, width, 3), np.uint8)))
    assert (header.format, header.width, header.height) == ("jxl", width, height)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_is_exact(channels: int) -> None:
    pixels = np.dstack([samples.photo(), samples.photo()[::-1, :, :1]])
    stored = pixels[..., [0, 3][:channels]] if channels < 3 else pixels[..., :channels]
    image = codecs.decode(cameras.jxl(np.ascontiguousarray(stored)))
    np.testing.assert_array_equal(image.pixels[..., 0], pixels[..., 0])
    assert image.grey == (channels < 3) and (image.alpha is None) == (channels % 2 == 1)
    if image.alpha is not None:
        np.testing.assert_array_equal(image.alpha, pixels[..., 3])


def test_lossy_is_close() -> None:
    image = codecs.decode(cameras.jxl(level=95))
    assert np.abs(image.pixels.astype(int) - samples.photo()).mean() < 2


@pytest.mark.parametrize(
    ("dtype", "options"), [(np.uint16, {}), (np.uint16, {"bitspersample": 10}), (np.float32, {})]
)
def test_linear_light_becomes_sixteen_bits_of_srgb(dtype: Any, options: dict[str, int]) -> None:
    """imagecodecs calls all that is deeper than 8 bits linear, and so does the file."""
    top = (1 << options.get("bitspersample", 16)) - 1
    light = samples.photo().astype(float) / 255
    stored = light.astype(np.float32) if dtype is np.float32 else np.rint(light * top).astype(np.uint16)
    image = codecs.decode(cameras.jxl(stored, lossless=True, **options))
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert image.depth == 16 and image.metadata.icc is None
    assert np.abs(image.pixels - expected).max() < (200 if options else 40)
    assert ("floats" in image.note) == (dtype is np.float32)


@pytest.mark.parametrize("packed", [False, True])
def test_metadata_in_boxes(packed: bool) -> None:
    parts = ((b"Exif", bytes(4) + samples.exif_block(6)), (b"xml ", samples.xmp_packet()))
    boxes = [
        cameras.box(b"brob", kind, bytes(imagecodecs.brotli_encode(body)))
        if packed
        else cameras.box(kind, body)
        for kind, body in parts
    ]
    image = codecs.decode(cameras.jxl(None, *boxes))
    assert image.metadata.exif == samples.exif_block(6) and image.metadata.xmp == samples.xmp_packet()
    assert image.metadata.orientation == 1  # the picture's own turn counts, and it has none
    after = codecs.decode(codecs.encode(image, EncodeOptions("jpeg"))).metadata
    assert after.orientation == 1 and after.exif is not None and b"Lucida" in after.exif


def test_a_box_that_bursts_is_left_out(monkeypatch: Any) -> None:
    bomb = cameras.box(b"brob", b"Exif", bytes(imagecodecs.brotli_encode(bytes(200_000_000), level=5)))
    assert len(bomb) < 10_000
    assert codecs.decode(cameras.jxl(None, bomb)).metadata.exif is None
    unpacked: list[bytes] = []
    monkeypatch.setattr(jxl_header, "_unpacked", lambda body: unpacked.append(body) or b"x")  # type: ignore[func-returns-value]
    codecs.read_header(cameras.jxl(None, *[bomb] * 50))
    assert len(unpacked) == 4


def test_a_gain_map_goes_with_a_note() -> None:
    plain = bytes(imagecodecs.jpegxl_encode(samples.photo(), usecontainer=True, level=90))
    assert codecs.decode(plain).note == ""
    noted = codecs.decode(plain + struct.pack(">I4s", 28, b"jhgm") + bytes(20)).note
    assert noted.startswith("had a gain map (HDR), dropped")


def test_one_made_of_a_jpeg_is_that_jpeg_again() -> None:
    data = samples.file("jpeg", samples.full_metadata(6))
    image = codecs.decode(bytes(imagecodecs.jpegxl_encode_jpeg(data)))
    original = codecs.decode(data)
    np.testing.assert_array_equal(image.pixels, original.pixels)
    assert image.metadata == original.metadata and image.metadata.orientation == 6
    assert (image.format, image.subsampling) == ("jxl", original.subsampling)
    assert codecs.encode(image, EncodeOptions("jpeg")) == codecs.encode(original, EncodeOptions("jpeg"))


def test_a_turned_picture_is_not_turned_and_keeps_the_turn() -> None:
    block = samples.exif_block(6, thumb=False)
    packed = imagecodecs.jpegxl_encode_jpeg(samples.file("jpeg", Metadata(exif=block, orientation=6)))
    image = codecs.decode(bytes(packed).replace(b"jbrd", b"free"))  # the JPEG cannot be had again
    assert (image.pixels.shape, image.metadata.orientation) == ((61, 83, 3), 6)
    assert np.abs(image.pixels.astype(int) - samples.photo()).mean() < 3


def bits(*fields: tuple[int, int]) -> bytes:
    """A codestream's head of (value, number of bits)."""
    value = place = 0
    for field, count in fields:
        value |= field << place
        place += count
    return b"\xff\x0a" + value.to_bytes(place // 8 + 40, "little")


SIZE = ((1, 1), (7, 5), (1, 3))  # 64x64
TURNED = ((0, 1), (1, 1), (5, 3), (0, 1), (0, 1), (0, 1))  # not all default; extra fields: orientation 6
PLAIN = ((0, 1), (0, 1))  # not all default; no extra fields
EIGHT_BITS = ((0, 1), (0, 2), (1, 1), (0, 2), (1, 1))  # integers; no extra channels; XYB
P3_COLOURS = ((0, 1), (0, 1), (0, 2), (1, 2), (2, 2), (9, 4), (0, 1), (2, 2), (11, 4))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((*SIZE, (1, 1)), Codestream(64, 64)),
        ((*SIZE, *TURNED, *EIGHT_BITS, (1, 1)), Codestream(64, 64, 6)),
        ((*SIZE, *PLAIN, *EIGHT_BITS, *P3_COLOURS), Codestream(64, 64, colours=Colours(primaries=11))),
        ((*SIZE, *PLAIN, *EIGHT_BITS, (0, 1), (1, 1)), Codestream(64, 64, colours=Colours(icc=True))),
    ],
)
def test_convention_of_the_header(fields: tuple[tuple[int, int], ...], expected: Codestream) -> None:
    assert read_codestream(bits(*fields)) == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"animated": True}, "animated"),
        ({"colours": Colours(transfer=16)}, "HDR"),
        ({"colours": Colours(icc=True)}, "profile cannot be read"),
        ({"colours": Colours(transfer=0)}, "rare colours"),
        ({"colours": Colours(primaries=2)}, "rare colours"),
        ({"colours": Colours(white=2)}, "rare colours"),
    ],
)
def test_what_cannot_be_shown_truly_is_refused(changes: Any, words: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(jxl, "read_codestream", lambda _: replace(Codestream(83, 61), **changes))
    with pytest.raises(UnsupportedError, match=f"{words}.* first"):
        codecs.read_header(cameras.jxl())


def test_wide_gamut_without_a_profile_is_given_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(jxl, "read_codestream", lambda _: Codestream(83, 61, colours=Colours(primaries=11)))
    profile = codecs.decode(cameras.jxl()).metadata.icc
    assert profile is not None and not icc.is_srgb(profile)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_never_half_a_picture(share: float) -> None:
    for data in (cameras.jxl(level=90), cameras.jxl(None, cameras.box(b"Exif", bytes(40)))):
        with pytest.raises(DecodeError, match="JPEG XL data is truncated or corrupt"):
            codecs.decode(data[: int(len(data) * share)])


def test_header_holds_before_decoding() -> None:
    with pytest.raises(TooLargeError, match="--max-megapixels"):
        codecs.decode(cameras.jxl(), max_pixels=83 * 61 - 1)
    huge = bits((0, 1), (3, 2), (1 << 29, 30), (1, 3), (1, 1))
    with pytest.raises(TooLargeError):
        codecs.decode(huge, max_pixels=250_000_000)
