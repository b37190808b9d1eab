"""Pictures made for a printing press: ink becomes sRGB through the file's own profile, or not at all.

Ink without a profile has no known colour: the usual 1 - C - K is visibly wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from lptn_cli.errors import UnsupportedError

from .icc import cmyk_to_srgb, is_cmyk, srgb
from .image import Metadata

CMYK_NOTE = "is CMYK and became sRGB through its profile"


def require_cmyk_profile(icc: bytes | None, format: str) -> None:
    """Raises UnsupportedError before the picture is decoded."""
    if not is_cmyk(icc):
        raise UnsupportedError(
            f"it is a CMYK {format} without its profile, so its colours are unknown; convert it to sRGB first"
        )


def from_cmyk(ink: NDArray[Any], metadata: Metadata, format: str) -> tuple[NDArray[Any], Metadata]:
    """(sRGB pixels, metadata that says sRGB) of (H, W, 4) ink, 0 = none. Raises UnsupportedError."""
    try:
        pixels = cmyk_to_srgb(ink, metadata.icc or b"")
    except ValueError:
        raise UnsupportedError(
            f"it is a CMYK {format} whose colour profile is broken; convert it to sRGB first"
        ) from None
    return pixels, replace(metadata, icc=srgb())
