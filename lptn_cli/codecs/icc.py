"""ICC profiles to sRGB and back in floating point, beyond [0, 1] where sRGB is too small, through Little CMS.

CMYK is the exception that goes one way: a codec turns it into sRGB and the profile has done its work.

A profile that cannot serve both ways is treated as sRGB rather than failing the photo: broken ones, CMYK and
Lab ones (the pixels are RGB), and those without a way back. The photo keeps its profile either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from .exif import says_adobe_rgb
from .image import Metadata

Floats = NDArray[np.float32]

HDR_CURVES = 16, 18  # transfer by its number in ITU-T H.273: PQ and HLG
_D65 = 0.3127, 0.3290
# x, y of white, red, green and blue. By their number there: BT.2020 and Display P3.
_POINTS = {
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB_POINTS = *_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06
_ADOBE_POINTS = *_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06
_STEPS = np.linspace(0, 1, 1024, dtype=np.float32)  # of curves


def profile_of(metadata: Metadata) -> bytes | None:
    """The profile to see the colours by: the file's own, or Adobe RGB (1998) where only EXIF says that.

    Cameras set to Adobe RGB write no profile (DCF 2.0). The made one has the same bytes every time, and is
    for seeing: it is not written, as the EXIF block goes on saying the same. None is sRGB. Pixels are RGB
    here: a grey photo's profile is seen as one of RGB with the same tones.
    """
    if metadata.icc is None and says_adobe_rgb(metadata.exif):
        return _adobe_rgb()
    return of_grey(metadata.icc) if metadata.icc and is_grey(metadata.icc) else metadata.icc


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
    return _made(_POINTS[number], _light(_STEPS)) if number in _POINTS else None


def is_grey(icc: bytes) -> bool:
    return icc[16:20] == b"GRAY"


@lru_cache(maxsize=8)
def of_grey(icc: bytes) -> bytes | None:
    """A profile for RGB whose greys are those of a grey profile; None for one that cannot be used."""
    try:
        seen = imagecodecs.cms_transform(
            _STEPS[None], icc, srgb(), colorspace="gray", outcolorspace="rgb", outdtype="float32", intent=1
        )
    except (imagecodecs.CmsError, ValueError):
        return None
    return _made(SRGB_POINTS, _light(seen[0, :, 1].clip(0, 1)))


def of_gamma(gamma: float | None, points: Sequence[float], *, grey: bool) -> bytes | None:
    """A profile for colours told by a gamma (None: the curve of sRGB) and x, y of white, red, green and blue.

    grey: for grey photos. None where that is sRGB, or what no profile can be.
    """
    curve = _light(_STEPS) if gamma is None else _STEPS**gamma
    try:
        made = _made(points, curve)
        if is_srgb(made):
            return None
        return _made(points, curve, "gray") if grey else made
    except (imagecodecs.CmsError, ValueError):
        return None


def _light(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values of sRGB to linear light."""
    light: NDArray[np.float32] = np.where(
        encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4
    )
    return light


def _made(points: Sequence[float], curve: NDArray[np.float32], space: str = "rgb") -> bytes:
    """A profile by x, y of white and primaries, and the light that its values from 0 to 1 stand for."""
    tones = (curve * 65535).round().astype(np.uint16)
    return _profile(points, space, transferfunction=tones)


def _profile(points: Sequence[float], space: str = "rgb", **curve: Any) -> bytes:
    white, *primaries = ([*points[at : at + 2], 1.0] for at in range(0, 8, 2))
    if space == "rgb":
        curve["primaries"] = [*primaries[0], *primaries[1], *primaries[2]]
    return undated(bytes(imagecodecs.cms_profile(space, whitepoint=white, **curve)))


@lru_cache(maxsize=1)
def srgb() -> bytes:
    return undated(bytes(imagecodecs.cms_profile("srgb")))


@lru_cache(maxsize=1)
def _adobe_rgb() -> bytes:
    return _profile(_ADOBE_POINTS, gamma=563 / 256)


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
