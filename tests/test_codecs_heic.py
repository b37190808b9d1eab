"""HEIC: pixels upright once, metadata kept, depth, damage, and what is said without the extra."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import exif
from lptn_cli.codecs.ifd import Field
from lptn_cli.codecs.image import EncodeOptions
from lptn_cli.codecs.xmp import WRAPPED
from lptn_cli.errors import DecodeError, PhotoError, TooLargeError, UnsupportedError

from . import camera_samples as cameras
from . import codec_samples as samples

# numpy's way to the picture that is stored upright for each orientation
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_turn_is_made_once(orientation: int) -> None:
    image = codecs.decode(cameras.heic(exif=samples.exif_block(orientation)))
    assert np.abs(image.pixels.astype(int) - UPRIGHT[orientation](samples.photo())).mean() < 4
    assert image.pixels.flags.writeable  # else Numba compiles its loops once more for them
    assert image.metadata.orientation == 1
    after = codecs.decode(codecs.encode(image, EncodeOptions("jpeg")))
    assert after.metadata.orientation == 1 and after.pixels.shape == image.pixels.shape
    assert exif.orientation(after.metadata.exif) == 1


def test_a_motion_video_goes_with_a_note() -> None:
    video = struct.pack(">I4s", 8 + 24, b"mpvd") + b"\x00\x00\x00\x18ftypmp42" + bytes(12)
    assert codecs.decode(cameras.heic() + video).note.startswith("had a motion video, dropped")
    assert codecs.decode(cameras.heic()).note == ""


def test_metadata_comes_to_a_jpeg() -> None:
    data = cameras.heic(exif=samples.exif_block(6), xmp=samples.xmp_packet(), icc_profile=samples.profile())
    written = codecs.encode(codecs.decode(data), EncodeOptions("jpeg"))
    metadata = codecs.decode(written).metadata
    assert metadata.xmp == samples.xmp_packet() and metadata.icc == samples.profile()
    assert metadata.exif is not None and samples.thumbnail() not in written
    for words in (b"Lucida\0", b"2024:05:06", samples.MAKER_NOTE, samples.GPS_WORDS):
        assert words in metadata.exif
    hidden = codecs.encode(codecs.decode(data), EncodeOptions("jpeg", metadata="no-gps"))
    assert samples.GPS_WORDS not in hidden and b"Lucida" in hidden


@pytest.mark.parametrize(
    "word",
    [b" tiff:Orientation='6'>", b"><tiff:Orientation>6</tiff:Orientation>"],
    ids=["attribute", "element"],
)
def test_xmp_says_no_orientation_that_the_pixels_no_longer_have(word: bytes) -> None:
    rest = b"<tiff:Make>m</tiff:Make></rdf:Description>"
    inside = b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/'" + word + rest
    image = codecs.decode(cameras.heic(exif=samples.exif_block(6), xmp=WRAPPED % inside))
    packet = codecs.decode(codecs.encode(image, EncodeOptions("jpeg"))).metadata.xmp
    assert packet is not None and b"Orientation" not in packet and b"<tiff:Make>m</tiff:Make>" in packet


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_modes(mode: str) -> None:
    image = codecs.decode(cameras.heic(mode))
    assert image.format == "heic" and image.depth == 8
    assert (image.grey, image.alpha is not None) == (mode == "L", mode == "RGBA")
    assert image.subsampling == (None if mode == "L" else "420")
    assert image.pixels.flags.c_contiguous


def test_ten_bits_become_the_whole_of_sixteen() -> None:
    image = codecs.decode(cameras.deep_heic())
    assert image.depth == 16
    assert np.abs(image.pixels.astype(int) - samples.photo(dtype=np.uint16)).max() < 300


def test_white_of_ten_bits_is_white() -> None:
    data = cameras.deep_heic(np.full((64, 64, 3), 65535, np.uint16))
    assert codecs.decode(data).pixels.max() == 65535


def test_header_holds_before_decoding() -> None:
    header = codecs.read_header(cameras.heic(pixels=samples.photo(64, 96)))
    assert (header.format, header.width, header.height) == ("heic", 96, 64)
    data = bytearray(cameras.heic())
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 65000, 65000)
    with pytest.raises(TooLargeError, match="4225 megapixels"):
        codecs.decode(bytes(data), max_pixels=250_000_000)


def test_a_header_that_says_too_little_is_damage() -> None:
    data = bytearray(cameras.heic(pixels=samples.photo(128, 128)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 8, 8)
    with pytest.raises(DecodeError):
        codecs.decode(bytes(data), max_pixels=100)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_never_half_a_picture(share: float) -> None:
    data = cameras.heic(exif=samples.exif_block())
    with pytest.raises(DecodeError, match="HEIC data is truncated or corrupt"):
        codecs.decode(data[: int(len(data) * share)])


def test_high_dynamic_range_and_sequences_are_refused() -> None:
    data = bytearray(cameras.heic())
    at = data.index(b"nclx") + 6
    data[at : at + 2] = struct.pack(">H", 16)
    with pytest.raises(UnsupportedError, match="HDR"):
        codecs.read_header(bytes(data))
    with pytest.raises(UnsupportedError, match="sequence"):
        codecs.read_header(cameras.heic().replace(b"ftypheic", b"ftyphevc"))


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: Any) -> None:
    data = cameras.heic()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert codecs.sniff(data) == "heic"
    with pytest.raises(PhotoError) as caught:
        codecs.decode(data)
    assert caught.value.kind == "unsupported" and "pip install 'lptn[heic]'" in str(caught.value)


@pytest.mark.parametrize(("orientation", "said"), [(6, (40, 60, False)), (1, (60, 40, True))])
def test_exif_tells_the_size_of_the_turned_picture(orientation: int, said: tuple[int, int, bool]) -> None:
    """And no subject at a place of the unturned one; maker notes stay where they were."""
    more = (
        Field(0x9214, 3, 2, struct.pack(">2H", 50, 10)),
        Field(0xA002, 4, 1, struct.pack(">I", 60)),
        Field(0xA003, 3, 1, struct.pack(">H", 40)),
    )
    before = samples.exif_block(orientation, more=more)
    block = codecs.decode(cameras.heic(pixels=samples.photo(40, 60), exif=before)).metadata.exif or b""
    layout, first = exif.opened(block)
    inner = exif.directories(block, layout, first)[1]
    assert (inner.integer(0xA002, 0), inner.integer(0xA003, 0), inner.get(0x9214) is not None) == said
    assert not inner.broken and block.index(samples.MAKER_NOTE) == before.index(samples.MAKER_NOTE)
    assert samples.GPS_WORDS in block and len(block) == len(before)
