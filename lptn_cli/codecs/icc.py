"""ICC profiles to sRGB and back in floating point, beyond [0, 1] where sRGB is too small, through Little CMS.

CMYK is the exception that goes one way: a codec turns it into sRGB and the profile has done its work.

A profile that cannot serve both ways is treated as sRGB rather than failing the photo: broken ones, grey,
CMYK and Lab ones (the pixels are RGB), and those without a way back. The photo keeps its profile either way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from .exif import says_adobe_rgb
from .image import Metadata

Floats = NDArray[np.float32]

HDR_CURVES = 16, 18  # transfer by its number in ITU-T H.273: PQ and HLG
# By their number there: x, y, Y of red, green and blue. BT.2020 and Display P3.
_PRIMARIES = {
    9: [0.708, 0.292, 1.0, 0.170, 0.797, 1.0, 0.131, 0.046, 1.0],
    12: [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0],
}


def profile_of(metadata: Metadata) -> bytes | None:
    """The profile to see the colours by: the file's own, or Adobe RGB (1998) where only EXIF says that.

    Cameras set to Adobe RGB write no profile (DCF 2.0). The made one has the same bytes every time, and is
    for seeing: it is not written, as the EXIF block goes on saying the same. None is sRGB.
    """
    if metadata.icc is None and says_adobe_rgb(metadata.exif):
        return _adobe_rgb()
    return metadata.icc


def undated(profile: bytes) -> bytes:
    """A profile that Little CMS made without the time, so that the same photo gives the same bytes."""
    return profile[:24] + bytes(12) + profile[36:]


def is_srgb(icc: bytes | None) -> bool:
    """Whether the profile shows colours as sRGB does, to a level of 255, or cannot be used; None is sRGB."""
    return icc is None or _is_srgb(icc)


def to_srgb(rgb: Floats, icc: bytes | None) -> Floats:
    """(H, W, 3) float32 in [0, 1] of the profile to sRGB; colours outside its gamut leave [0, 1]."""
    return rgb if icc is None or is_srgb(icc) else _transformed(rgb, icc, srgb())


def from_srgb(rgb: Floats, icc: bytes | None) -> Floats:
    """The way back: (H, W, 3) float32 sRGB, in [0, 1] or beyond, to the profile's space.

    For profiles of a matrix and curves it undoes `to_srgb` to 1e-4 above 0.01 of full scale; below, a gamma
    curve's infinite slope turns float32 rounding into up to 1e-3.
    """
    return rgb if icc is None or is_srgb(icc) else _transformed(rgb, srgb(), icc)


def is_cmyk(icc: bytes | None) -> bool:
    return icc is not None and icc[16:20] == b"CMYK" and icc[36:40] == b"acsp"


def cmyk_to_srgb(cmyk: NDArray[Any], icc: bytes) -> NDArray[Any]:
    """(H, W, 4) uint8 or uint16, 0 = no ink, to (H, W, 3) sRGB of the same type, as Photoshop converts.

    Relative colorimetric with black point compensation: paper becomes white and the darkest print black.
    Raises ValueError for a profile that does not do it.
    """
    try:
        rgb: NDArray[Any] = imagecodecs.cms_transform(
            np.ascontiguousarray(cmyk),
            icc,
            srgb(),
            colorspace="cmyk",
            outcolorspace="rgb",
            intent=1,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
    except imagecodecs.CmsError as error:
        raise ValueError(str(error)) from None
    return rgb


@lru_cache(maxsize=2)
def of_primaries(number: int) -> bytes | None:
    """A profile for colours that a file says by H.273's number alone; None where they are those of sRGB."""
    if number not in _PRIMARIES:
        return None
    steps = np.linspace(0, 1, 1024)
    curve = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    made: bytes = imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=_PRIMARIES[number],
        transferfunction=(curve * 65535).round().astype(np.uint16),
    )
    return undated(made)


@lru_cache(maxsize=1)
def srgb() -> bytes:
    return undated(bytes(imagecodecs.cms_profile("srgb")))


@lru_cache(maxsize=1)
def _adobe_rgb() -> bytes:
    made: bytes = imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0],
        gamma=563 / 256,
    )
    return undated(made)


@lru_cache(maxsize=32)
def _is_srgb(icc: bytes) -> bool:
    if icc[16:20] != b"RGB " or icc[36:40] != b"acsp":
        return True
    steps = np.linspace(0.0, 1.0, 6, dtype=np.float32)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(6, 36, 3)
    try:
        seen = _transformed(colours, icc, srgb())
        back = _transformed(seen, srgb(), icc)
    except (imagecodecs.CmsError, ValueError):
        return True
    if not np.isfinite(seen).all() or not np.isfinite(back).all() or np.abs(back - colours).mean() > 0.02:
        return True
    return bool(np.abs(seen - colours).max() < 1 / 255)


def _transformed(rgb: Floats, source: bytes, target: bytes) -> Floats:
    result: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(rgb, dtype=np.float32),
        source,
        target,
        colorspace="rgb",
        outcolorspace="rgb",
        outdtype="float32",
        intent=1,  # relative colorimetric: no compression of the gamut, so the way back is exact
    )
    return result.astype(np.float32, copy=False)
