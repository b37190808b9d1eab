"""What is written as the input was unless something else is asked for: subsampling and losslessness."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Metadata

from . import codec_samples as samples

SUBSAMPLINGS: tuple[Literal["444", "422", "420"], ...] = ("444", "422", "420")


def avif(subsampling: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    picture = PIL.Image.fromarray(samples.photo()).convert(mode)
    picture.save(buffer, "AVIF", subsampling=subsampling, quality=80)
    return buffer.getvalue()


def webp(*, lossless: bool, alpha: bool = False) -> bytes:
    pixels = samples.photo()
    plane = pixels[::-1, ::-1, 2:]
    data = np.concatenate([pixels, plane], axis=2) if alpha else pixels
    return bytes(imagecodecs.webp_encode(data, level=80, lossless=lossless))


@pytest.mark.parametrize("wanted", SUBSAMPLINGS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_subsampling_of_an_avif_is_read_and_kept(wanted: str, mode: str) -> None:
    image = codecs.decode(avif(":".join(wanted), mode))
    assert image.subsampling == wanted
    for format in ("avif", "jpeg"):
        assert codecs.decode(codecs.encode(image, EncodeOptions(format))).subsampling == wanted


def test_subsampling_of_an_avif_is_that_which_is_asked_for() -> None:
    image = codecs.decode(avif("4:2:0"))
    for subsampling in SUBSAMPLINGS:
        written = codecs.encode(image, EncodeOptions("avif", subsampling=subsampling))
        assert codecs.decode(written).subsampling == subsampling


def test_grey_avif_has_no_subsampling_and_a_picture_of_another_format_is_written_444() -> None:
    assert codecs.decode(avif("4:0:0", "L")).subsampling is None
    assert codecs.decode(samples.file("avif")).subsampling == "444"


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("metadata", [Metadata(), samples.full_metadata()])
def test_lossless_webp_stays_lossless(alpha: bool, metadata: Metadata) -> None:
    before = replace(codecs.decode(webp(lossless=True, alpha=alpha)), metadata=metadata)
    assert before.lossless
    after = codecs.decode(codecs.encode(before, EncodeOptions("webp", quality=50)))
    assert after.lossless
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert (after.alpha is None) == (not alpha)
    if before.alpha is not None and after.alpha is not None:
        np.testing.assert_array_equal(after.alpha, before.alpha)


@pytest.mark.parametrize("alpha", [False, True])
def test_lossy_webp_and_other_formats_become_lossy_webp(alpha: bool) -> None:
    lossy = codecs.decode(webp(lossless=False, alpha=alpha))
    assert not lossy.lossless
    for image in (lossy, samples.image(alpha=alpha)):
        assert not codecs.decode(codecs.encode(image, EncodeOptions("webp"))).lossless
