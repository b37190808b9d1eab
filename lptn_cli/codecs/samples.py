"""Samples as codecs hold them, to and from Image: grey and alpha planes, 8 and 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lptn_cli.errors import EncodeError

from .formats import LOSSLESS
from .image import EncodeOptions, Image, Pixels

STRIP = 64  # rows


def split(samples: NDArray[Any]) -> tuple[Pixels, Pixels | None, bool]:
    """(pixels, alpha, grey) of (H, W), (H, W, 1), (H, W, 2) grey or (H, W, 3), (H, W, 4) RGB samples."""
    if samples.ndim == 2:
        samples = samples[:, :, np.newaxis]
    channels = samples.shape[2]
    grey = channels < 3
    alpha = np.ascontiguousarray(samples[:, :, -1]) if channels in (2, 4) else None
    pixels = np.repeat(samples[:, :, :1], 3, axis=2) if grey else samples[:, :, :3]
    return np.ascontiguousarray(pixels), alpha, grey


def joined(image: Image, *, grey: bool | None = None) -> Pixels:
    """The opposite of `split`: (H, W), or (H, W, 2..4), C-contiguous. grey=False writes three channels."""
    single = image.grey if grey is None else grey
    colours: NDArray[Any] = image.pixels[:, :, :1] if single else image.pixels
    if image.alpha is None:
        return np.ascontiguousarray(colours[:, :, 0] if single else colours)
    return np.concatenate([colours, image.alpha[:, :, np.newaxis]], axis=2)


def in_strips(make: Callable[..., NDArray[Any]], *planes: NDArray[Any]) -> NDArray[Any]:
    """`make` of the planes, some rows at a time: what it needs besides the result stays small."""
    first = make(*(plane[:STRIP] for plane in planes))
    result = np.empty((len(planes[0]), *first.shape[1:]), first.dtype)
    result[:STRIP] = first
    for top in range(STRIP, len(result), STRIP):
        result[top : top + STRIP] = make(*(plane[top : top + STRIP] for plane in planes))
    return result


def on_white(image: Image) -> Pixels:
    """The pixels, laid on white where alpha lets it through."""
    return image.pixels if image.alpha is None else in_strips(_laid_on_white, image.pixels, image.alpha)


def _laid_on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    top = np.uint32(np.iinfo(alpha.dtype).max)  # the sum below ends just under 2**32 at 16 bits
    opaque = alpha[:, :, np.newaxis].astype(np.uint32)
    mixed = pixels * opaque + top * (top - opaque)
    laid: Pixels = ((mixed + top // 2) // top).astype(pixels.dtype)  # type: ignore[assignment]
    return laid


def from_floats(samples: NDArray[Any]) -> tuple[NDArray[np.uint16], str]:
    """(the same at 16 bits, what to say of it): 0..1 is black to white, the rest is cut off, NaN is black."""
    beyond = 0

    def levels(rows: NDArray[Any]) -> NDArray[np.uint16]:
        nonlocal beyond
        rows = rows.astype(np.promote_types(rows.dtype, np.float32), copy=False)
        with np.errstate(invalid="ignore"):
            beyond += int(np.count_nonzero(~((rows >= 0) & (rows <= 1))))
        inside = np.nan_to_num(rows, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        whole: NDArray[np.uint16] = np.rint(inside * 65535.0).astype(np.uint16)
        return whole

    result = in_strips(levels, samples)
    outside = beyond / samples.size
    cut = f", {outside:.1%} of its values lay outside and were cut off" if outside >= 5e-4 else ""
    return result, f"holds floats, of which 0 to 1 became 16 bits{cut}"


def widened(samples: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """Samples of 0..2**bits - 1 to the whole of 16 bits, rounded."""
    top = (1 << bits) - 1

    def wide(rows: NDArray[Any]) -> NDArray[np.uint16]:
        levels: NDArray[np.uint16] = ((rows.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
        return levels

    return in_strips(wide, samples)


def from_linear(pixels: Pixels) -> NDArray[np.uint16]:
    """Linear light by the curve of sRGB (IEC 61966-2-1) to 16 bits, as 8 bits of it have no shadows."""
    top = int(np.iinfo(pixels.dtype).max)
    light = np.arange(top + 1) / top
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.take(np.rint(curve * 65535).astype(np.uint16), pixels)


def unmultiplied(samples: NDArray[Any]) -> NDArray[Any]:
    """Colours that were multiplied by alpha, divided by it again and rounded; black where it is 0."""
    return in_strips(_unmultiplied, samples)


def _unmultiplied(samples: NDArray[Any]) -> NDArray[Any]:
    top = int(np.iinfo(samples.dtype).max)
    alpha = samples[..., -1:].astype(np.uint64)
    colours = (samples[..., :-1] * np.uint64(top) + alpha // np.uint64(2)) // np.maximum(alpha, np.uint64(1))
    return np.concatenate([np.minimum(colours, top).astype(samples.dtype), samples[..., -1:]], axis=2)


def with_depth(image: Image, options: EncodeOptions) -> Image:
    """The picture in the depth to write: v / 257 rounded on the way to 8 bits, v * 257 on the way to 16."""
    has_16 = options.format in LOSSLESS
    if options.depth == 16 and not has_16:
        raise EncodeError(
            f"{options.format.upper()} holds 8 bits here, not 16; use --format png or tiff, or --depth 8"
        )
    wanted: Literal[8, 16] = image.depth if options.depth == "auto" else options.depth
    depth: Literal[8, 16] = wanted if has_16 else 8
    if depth == image.depth:
        return image
    convert = _to_8 if depth == 8 else _to_16
    alpha, selection = (None if plane is None else convert(plane) for plane in (image.alpha, image.selection))
    return replace(image, pixels=convert(image.pixels), alpha=alpha, selection=selection)


def _to_8(samples: Pixels) -> Pixels:
    table: NDArray[np.uint8] = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return in_strips(partial(np.take, table), samples)


def _to_16(samples: Pixels) -> Pixels:
    return samples.astype(np.uint16) * np.uint16(257)
