"""JPEG: segments spliced byte for byte, subsampling, and what is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
import simplejpeg

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata
from lptn_cli.errors import DecodeError, EncodeError, TooLargeError, UnsupportedError

from . import codec_samples as samples

TO_JPEG = EncodeOptions("jpeg")
XMP = b"http://ns.adobe.com/xap/1.0/\x00"


def again(data: bytes, options: EncodeOptions = TO_JPEG) -> bytes:
    return codecs.encode(codecs.decode(data), options)


def test_every_segment_comes_back_byte_for_byte_and_in_order() -> None:
    icc = samples.large_profile()
    pieces = [icc[i : i + 60_000] for i in range(0, len(icc), 60_000)]
    segments = [
        (0xE1, b"Exif\x00\x00" + samples.exif_block(thumb=False)),
        (0xFE, b"first"),
        (0xED, b"Photoshop 3.0\x00" + samples.iptc_block()),
        (0xE1, XMP + samples.xmp_packet()),
        *[(0xE2, b"ICC_PROFILE\x00" + bytes([i + 1, len(pieces)]) + p) for i, p in enumerate(pieces)],
        (0xEB, b"a vendor's own"),
        (0xE2, b"FPXR\x00 flashpix"),
        (0xFE, b"second \xff\x00 \xe4"),
    ]
    image = codecs.decode(samples.jpeg(*segments))
    assert image.metadata.segments == tuple(segments)
    assert image.metadata.icc == icc
    assert image.metadata.exif == samples.exif_block(thumb=False)
    assert image.metadata.iptc == samples.iptc_block()
    assert image.metadata.comments == (b"first", b"second \xff\x00 \xe4")
    written = codecs.encode(image, TO_JPEG)
    assert codecs.decode(written).metadata == image.metadata
    joined = b"".join(struct.pack(">BBH", 0xFF, m, len(b) + 2) + b for m, b in segments)
    assert written[20 : 20 + len(joined)] == joined


def test_multi_picture_segment_adobe_segment_and_second_picture_are_dropped() -> None:
    data = (
        samples.jpeg((0xE2, b"MPF\x00 index"), (0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x01"))
        + samples.thumbnail()
    )
    written = again(data)
    assert b"MPF\x00" not in written and b"Adobe" not in written and samples.thumbnail() not in written


def test_extended_xmp_is_kept_verbatim_and_joined_for_other_formats() -> None:
    packet = samples.xmp_packet(200_000)
    data = samples.file("jpeg", Metadata(xmp=packet))
    assert data.count(b"http://ns.adobe.com/xmp/extension/\x00") == 4
    image = codecs.decode(data)
    assert image.metadata.xmp is not None and b"abcdefg " * 25_000 in image.metadata.xmp
    assert b"HasExtendedXMP" not in image.metadata.xmp
    assert codecs.decode(again(data)).metadata.segments == image.metadata.segments
    png = codecs.decode(codecs.encode(image, EncodeOptions("png")))
    assert png.metadata.xmp == image.metadata.xmp


def test_incomplete_profile_is_no_profile() -> None:
    icc = samples.profile()
    data = samples.jpeg((0xE2, b"ICC_PROFILE\x00\x02\x02" + icc))
    assert codecs.decode(data).metadata.icc is None


@pytest.mark.parametrize(("unit", "density"), [(1, 72), (1, 300), (2, 118)])
def test_density_is_kept(unit: int, density: int) -> None:
    data = bytearray(samples.file("jpeg"))
    data[13:18] = struct.pack(">BHH", unit, density, density)
    written = again(bytes(data))
    assert written[13:18] == data[13:18]


def test_fill_bytes_and_restart_markers_are_read() -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(samples.photo()).save(buffer, "JPEG", quality=90, restart_marker_blocks=2)
    data = buffer.getvalue()
    assert b"\xff\xd0" in data
    filled = data[:20] + b"\xff\xff\xff" + data[20:]
    np.testing.assert_array_equal(codecs.decode(filled).pixels, codecs.decode(data).pixels)


def _jfif_2(data: bytearray) -> None:
    data[data.index(b"JFIF") + 5] = 2


def _few_coefficients(data: bytearray) -> None:
    start = data.index(b"\xff\xda")
    data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") - 2] = 0


def _zeros_before_the_end(data: bytearray) -> None:
    data[-2:-2] = bytes(5000)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("slip", [_jfif_2, _few_coefficients, _zeros_before_the_end])
def test_slips_of_cameras_that_bear_on_no_pixel_are_no_damage(
    slip: Callable[[bytearray], None], progressive: bool
) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(samples.photo()).save(buffer, "JPEG", quality=90, progressive=progressive)
    data = bytearray(buffer.getvalue())
    cut = len(data) * 2 // 3
    plain = codecs.decode(bytes(data)).pixels
    slip(data)
    np.testing.assert_array_equal(codecs.decode(bytes(data) + b"what a phone adds").pixels, plain)
    with pytest.raises(DecodeError):
        codecs.decode(bytes(data[:cut]) + b"\xff\xd9")


@pytest.mark.parametrize(
    ("written", "wanted"), [("444", "444"), ("422", "422"), ("420", "420"), ("440", "444"), ("411", "422")]
)
def test_subsampling_is_read_and_kept(written: str, wanted: str) -> None:
    data = simplejpeg.encode_jpeg(samples.photo(), colorspace="RGB", colorsubsampling=written)
    image = codecs.decode(data)
    assert image.subsampling == wanted
    assert codecs.decode(codecs.encode(image, TO_JPEG)).subsampling == wanted
    assert codecs.decode(codecs.encode(image, EncodeOptions("jpeg", subsampling="420"))).subsampling == "420"


def test_picture_of_another_format_is_written_444() -> None:
    assert codecs.decode(samples.file("jpeg")).subsampling == "444"


def test_grey_and_progressive_and_rgb_coded() -> None:
    for mode, options in (("L", {}), ("RGB", {"progressive": True}), ("RGB", {"keep_rgb": True})):
        buffer = io.BytesIO()
        PIL.Image.fromarray(samples.photo()).convert(mode).save(buffer, "JPEG", quality=97, **options)
        image = codecs.decode(buffer.getvalue())
        expected = np.asarray(PIL.Image.fromarray(samples.photo()).convert(mode).convert("RGB"))
        assert np.abs(image.pixels.astype(int) - expected).mean() < 2
        assert image.grey == (mode == "L")
        assert codecs.decode(codecs.encode(image, TO_JPEG)).grey == image.grey


def test_quality_one_hundred_is_close() -> None:
    image = samples.image()
    after = codecs.decode(codecs.encode(image, EncodeOptions("jpeg", quality=100)))
    assert np.abs(after.pixels.astype(int) - image.pixels).max() <= 3


def test_alpha_is_laid_on_white() -> None:
    pixels: Any = np.full((16, 16, 3), 40, np.uint8)
    alpha: Any = np.full((16, 16), 51, np.uint8)
    after = codecs.decode(codecs.encode(Image(pixels, "png", alpha), EncodeOptions("jpeg", quality=100)))
    assert after.alpha is None
    assert np.abs(after.pixels.astype(int) - 212).max() <= 1  # 0.2 * 40 + 0.8 * 255


def frame(marker: int, precision: int = 8, height: int = 16, width: int = 16, channels: int = 3) -> bytes:
    body = struct.pack(">BHHB", precision, height, width, channels)
    body += b"".join(bytes([i + 1, 0x11, 0]) for i in range(channels))
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return (
        b"\xff\xd8"
        + struct.pack(">BBH", 0xFF, marker, len(body) + 2)
        + body
        + scan
        + b"\x00" * 64
        + b"\xff\xd9"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame(0xC0, channels=4), "CMYK JPEG without its profile"),
        (frame(0xC9), "arithmetic"),
        (frame(0xC3), "lossless"),
        (frame(0xC1, precision=12), "12-bit"),
        (frame(0xC0, channels=2), "2 channels"),
    ],
)
def test_rare_kinds_are_refused_with_a_remedy(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        codecs.decode(data)
    assert "first" in str(caught.value)


def test_chroma_of_a_rare_sampling_is_refused_and_not_called_damaged() -> None:
    data = bytearray(samples.file("jpeg"))
    at = data.index(b"\xff\xc0") + 11
    data[at] = 0x13
    with pytest.raises(UnsupportedError, match="rare sampling"):
        codecs.decode(bytes(data))


def test_huge_header_is_refused_before_decoding() -> None:
    with pytest.raises(TooLargeError, match="4225 megapixels"):
        codecs.decode(frame(0xC0, height=65000, width=65000), max_pixels=250_000_000)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe1\x00\x01",
        b"\xff\xd8\xff\xe1\xff\xff" + b"x" * 20,
        b"\xff\xd8\xff\xd9",
        frame(0xC0, height=0),
        frame(0xC0),
    ],
)
def test_broken_headers_are_decode_errors(data: bytes) -> None:
    with pytest.raises(DecodeError, match="restore it from a backup"):
        codecs.decode(data)


def test_a_flood_of_segments_is_refused() -> None:
    plain = samples.file("jpeg")
    flood = b"\xff\xfe\x00\x03a" * 70_000
    with pytest.raises(DecodeError, match="more segments than a photo can have"):
        codecs.read_header(plain[:20] + flood + plain[20:])


def test_a_hundred_megabytes_of_segments_are_walked_and_kept() -> None:
    plain = samples.file("jpeg")
    data = plain[:20] + (b"\xff\xe5\xff\xff" + bytes(65533)) * 1600 + plain[20:]
    image = codecs.decode(data)
    assert len(image.metadata.segments) == 1600
    assert len(codecs.encode(image, TO_JPEG)) > 100_000_000


def test_damage_in_the_middle_is_noticed() -> None:
    data = bytearray(samples.file("jpeg"))
    middle = len(data) * 2 // 3
    data[middle : middle + 40] = b"\xff\xd9" * 20
    with pytest.raises(DecodeError):
        codecs.decode(bytes(data))


def test_exif_too_large_for_a_segment_is_an_error_with_a_remedy() -> None:
    big = samples.image(Metadata(exif=samples.exif_block(thumb=False, tail=b"\x01" * 70_000)))
    with pytest.raises(EncodeError, match="--metadata none"):
        codecs.encode(big, TO_JPEG)


def test_no_gps_drops_vendor_segments_and_second_copies() -> None:
    data = samples.jpeg(
        (0xE1, b"Exif\x00\x00" + samples.exif_block(gps=False, thumb=False)),
        (0xE1, b"Exif\x00\x00" + samples.exif_block(gps=True, thumb=False)),
        (0xE6, b"GoPro\x00 telemetry"),
        (0xED, b"Photoshop 3.0\x00" + samples.iptc_block()),
    )
    assert samples.GPS_WORDS in again(data)
    written = again(data, EncodeOptions("jpeg", metadata="no-gps"))
    assert samples.GPS_WORDS not in written and b"GoPro" not in written and b"Paris" in written


def test_content_credentials_of_the_old_picture_go_and_other_boxes_stay() -> None:
    def box(number: int, part: int, label: bytes) -> tuple[int, bytes]:
        start = b"JP" + number.to_bytes(2, "big") + part.to_bytes(4, "big") + b"\x00\x00\x02\x00jumb"
        return 0xEB, start + label

    signed = b"\x00\x00\x00\x26jumdc2pa\x00\x11\x00\x10 and more"
    other = b"\x00\x00\x00\x26jumdjson\x00\x11\x00\x10 of a 360"
    data = samples.jpeg(box(1, 1, signed), box(2, 1, other), box(1, 2, b"the rest of what is signed"))
    image = codecs.decode(data)
    assert image.note == "had Content Credentials (C2PA), dropped as it shows the photo before retouching"
    written = codecs.encode(image, EncodeOptions("jpeg"))
    assert b"c2pa" not in written and b"is signed" not in written and b"of a 360" in written
