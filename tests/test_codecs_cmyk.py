"""CMYK becomes sRGB through the profile of the file, checked against Little CMS in Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import tifffile
from numpy.typing import NDArray

from lptn_cli import codecs
from lptn_cli.codecs import icc
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.errors import UnsupportedError

from . import codec_samples as samples

NOTE = "is CMYK and became sRGB through its profile"


def ink() -> NDArray[np.uint8]:
    return np.concatenate([samples.photo(), samples.photo()[::-1, :, :1] // 3], axis=2)


def tiff(data: NDArray[Any], profile: bytes | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, photometric="separated", iccprofile=profile, metadata=None, **options)
    return buffer.getvalue()


def expected() -> NDArray[np.int64]:
    cmyk = PIL.ImageCms.ImageCmsProfile(io.BytesIO(samples.cmyk_profile()))
    done = PIL.ImageCms.profileToProfile(
        PIL.Image.frombytes("CMYK", (83, 61), ink().tobytes()),
        cmyk,
        PIL.ImageCms.createProfile("sRGB"),
        renderingIntent=PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    pixels: NDArray[np.int64] = np.asarray(done).astype(int)
    return pixels


def naive() -> NDArray[np.int64]:
    parts = ink().astype(int)
    pixels: NDArray[np.int64] = (255 - parts[..., :3]) * (255 - parts[..., 3:]) // 255
    return pixels


def error(image: Image) -> float:
    return float(np.abs(image.pixels.astype(int) - expected()).mean())


def test_the_profile_matters_here() -> None:
    assert np.abs(expected() - naive()).mean() > 10


@pytest.mark.parametrize(("subsampling", "most"), [("444", 1.0), ("420", 3.0)])
def test_ycck_jpeg_of_an_adobe_program(subsampling: str, most: float) -> None:
    image = codecs.decode(samples.cmyk_jpeg(samples.cmyk_profile(), subsampling))
    assert error(image) < most
    assert (image.note, image.subsampling, image.grey) == (NOTE, subsampling, False)


def test_cmyk_jpeg_without_a_transform() -> None:
    buffer = io.BytesIO()
    picture = PIL.Image.frombytes("CMYK", (83, 61), ink().tobytes())
    picture.save(buffer, "JPEG", quality=100, subsampling=0, icc_profile=samples.cmyk_profile())
    assert error(codecs.decode(buffer.getvalue())) < 1.5


@pytest.mark.parametrize("options", [{}, {"compression": "lzw", "predictor": True, "byteorder": ">"}])
def test_tiff(options: dict[str, Any]) -> None:
    image = codecs.decode(tiff(ink(), samples.cmyk_profile(), **options))
    assert np.abs(image.pixels.astype(int) - expected()).max() <= 1
    assert image.note == NOTE
    planes = tiff(np.moveaxis(ink(), 2, 0), samples.cmyk_profile(), planarconfig="separate", **options)
    np.testing.assert_array_equal(codecs.decode(planes).pixels, image.pixels)


def test_paper_is_white_and_the_darkest_print_black() -> None:
    data = np.zeros((8, 8, 4), np.uint8)
    data[4:, :, 3] = 255
    pixels = codecs.decode(tiff(data, samples.cmyk_profile())).pixels
    assert pixels[:4].min() > 250 and pixels[4:].max() < 5  # black ink alone is L* = 22


def test_tiff_of_sixteen_bits_stays_sixteen() -> None:
    image = codecs.decode(tiff(ink().astype(np.uint16) * 257, samples.cmyk_profile()))
    assert image.depth == 16
    assert np.abs(image.pixels / 257 - expected()).max() < 1.1


def test_tiff_with_alpha_keeps_it() -> None:
    data = np.dstack([ink(), samples.photo()[..., 2]])
    image = codecs.decode(tiff(data, samples.cmyk_profile(), extrasamples=["unassalpha"]))
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha, samples.photo()[..., 2])
    assert error(image) < 1


@pytest.mark.parametrize("target", samples.FORMATS)
def test_the_result_says_srgb_and_the_press_is_gone(target: codecs.Format) -> None:
    data = samples.cmyk_jpeg(samples.cmyk_profile())
    written = codecs.encode(codecs.decode(data), EncodeOptions(target))
    profile = codecs.decode(written).metadata.icc
    assert profile is not None and profile[16:20] == b"RGB " and icc.is_srgb(profile)
    assert b"prtrCMYK" not in written


def test_other_segments_of_a_cmyk_jpeg_stay_byte_for_byte() -> None:
    plain = samples.cmyk_jpeg(samples.cmyk_profile())
    block = b"Exif\0\0" + samples.exif_block(thumb=False)
    data = plain[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + plain[2:]
    assert block in codecs.encode(codecs.decode(data), EncodeOptions("jpeg"))


@pytest.mark.parametrize("profile", [None, "srgb"])
def test_without_a_cmyk_profile_it_is_refused(profile: str | None) -> None:
    other = samples.profile(profile) if profile else None
    for data in (samples.cmyk_jpeg(other), tiff(ink(), other)):
        with pytest.raises(
            UnsupportedError, match="without its profile, so its colours are unknown; convert"
        ):
            codecs.decode(data)


def test_a_broken_profile_is_refused() -> None:
    broken = samples.cmyk_profile()[:300]
    for data in (samples.cmyk_jpeg(broken), tiff(ink(), broken)):
        with pytest.raises(UnsupportedError, match="profile is broken"):
            codecs.decode(data)


def test_inks_that_are_not_the_four_are_refused() -> None:
    data = tiff(ink(), samples.cmyk_profile(), extratags=[(332, 3, 1, 2, True)])
    with pytest.raises(UnsupportedError, match="multi-ink"):
        codecs.decode(data)
