"""A JPEG apart and whole again: what goes round its scans is kept, and damage is seen as in all of it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pytest
import simplejpeg

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions
from lptn_cli.codecs.jpeg_scans import apart, chroma, whole
from lptn_cli.codecs.jpeg_segments import walk
from lptn_cli.errors import PhotoError

from . import codec_samples as samples

MANY = 10**9
TO_JPEG = EncodeOptions("jpeg")
FULL = samples.file("jpeg", samples.full_metadata())


def pillow(mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(samples.photo()).convert(mode).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def with_adobe(transform: int) -> bytes:
    return samples.jpeg((0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([transform])))


SOUND = {
    "all of its metadata": FULL,
    "progressive": pillow(progressive=True),
    "restart markers": pillow(restart_marker_blocks=2),
    "4:2:2": bytes(simplejpeg.encode_jpeg(samples.photo(), colorsubsampling="422")),
    "4:2:0": bytes(simplejpeg.encode_jpeg(samples.photo(), colorsubsampling="420")),
    "Adobe": with_adobe(1),
    "JFIF against Adobe": with_adobe(0),
}


@pytest.mark.parametrize("name", SOUND)
def test_the_scans_are_a_jpeg_of_the_same_pixels_and_nothing_else_is_lost(name: str) -> None:
    image, parts = codecs.decode(SOUND[name]), apart(SOUND[name], MANY)
    assert parts is not None
    np.testing.assert_array_equal(codecs.decode(parts.scans).pixels, image.pixels)
    assert {marker for marker, _ in walk(parts.scans).segments} <= {0xE0}
    assert (parts.height, parts.width) == image.pixels.shape[:2]
    assert (parts.subsampling, parts.metadata, parts.note) == (image.subsampling, image.metadata, image.note)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("policy", ["keep", "no-gps", "none"])
def test_what_goes_round_new_scans_is_what_the_codec_writes(name: str, policy: Any) -> None:
    options = EncodeOptions("jpeg", metadata=policy, editor="lptn 1 (preset dusk)")
    image, parts = codecs.decode(SOUND[name]), apart(SOUND[name], MANY)
    assert parts is not None
    wanted = codecs.encode(image, options)
    start = 4 + int.from_bytes(wanted[4:6], "big")
    picture = walk(wanted).picture
    for jfif in (wanted[2:start], b""):  # an encoder need not write one
        tables = [piece for piece in picture[1:-1] if piece[:2] != b"\xff\xe0"]
        scans = b"".join([picture[0], jfif, *tables, picture[-1]])
        assert whole(scans, parts.image(image.pixels), parts, chroma(parts, options), options) == wanted


def test_what_a_phone_puts_behind_the_picture_is_not_in_the_scans() -> None:
    for data in (pillow(), pillow(progressive=True)):
        parts = apart(data + b"\x00motion" + data, MANY)
        assert parts is not None and parts.scans.endswith(b"\xff\xd9")
        assert len(parts.scans) <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        samples.file("png"),
        pillow("L"),
        pillow(keep_rgb=True),
        with_adobe(0)[:2] + with_adobe(0)[20:],  # without the JFIF segment that says YCbCr
        samples.cmyk_jpeg(samples.cmyk_profile()),
        bytes(simplejpeg.encode_jpeg(samples.photo(), colorsubsampling="440")),
        bytes(simplejpeg.encode_jpeg(samples.photo(), colorsubsampling="411")),
    ],
    ids=["empty", "torn", "PNG", "grey", "RGB", "Adobe RGB", "CMYK", "4:4:0", "4:1:1"],
)
def test_what_is_not_plain_is_left_to_the_codecs(data: bytes) -> None:
    assert apart(data, MANY) is None


def test_a_picture_of_too_many_pixels_is_left_to_the_codecs() -> None:
    assert apart(FULL, 61 * 83) and apart(FULL, 61 * 83 - 1) is None


def test_damage_is_seen_wherever_the_whole_decoder_sees_it() -> None:
    numbers = np.random.default_rng(5)
    seen = 0
    for data in (pillow(), pillow(progressive=True)):
        for turn in range(150):
            broken = bytearray(data)
            at = int(numbers.integers(2, len(data)))
            if turn % 3 == 0:
                broken = broken[:at]
            elif turn % 3 == 1:
                broken[at] ^= 1 << int(numbers.integers(8))
            else:
                broken[at : at + 40] = bytes(len(broken[at : at + 40]))
            try:
                codecs.decode(bytes(broken))
            except PhotoError:
                seen += 1
                assert apart(bytes(broken), MANY) is None, (turn, at)
    assert seen > 150


def test_scans_that_are_not_what_was_asked_for_are_refused() -> None:
    parts = apart(FULL, MANY)
    assert parts is not None and parts.subsampling == "444"
    image = parts.image(samples.photo())

    def made(pixels: Any, sampling: str = "444") -> bytes:
        return bytes(simplejpeg.encode_jpeg(pixels, colorsubsampling=sampling))

    assert whole(made(samples.photo()), image, parts, "444", TO_JPEG)
    for scans in (
        made(samples.photo(), "420"),
        made(samples.photo(60, 83)),
        made(samples.photo())[:-1],
        pillow("L"),
        b"nonsense",
        b"",
    ):
        assert whole(scans, image, parts, "444", TO_JPEG) is None
