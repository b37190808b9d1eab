"""Samples as codecs hold them, to and from Image: grey and alpha planes, 8 and 16 bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lptn_cli.errors import EncodeError

from .image import EncodeOptions, Image, Pixels


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


def with_depth(image: Image, options: EncodeOptions) -> Image:
    """The picture in the depth to write: v / 257 rounded on the way to 8 bits, v * 257 on the way to 16."""
    has_16 = options.format in ("png", "tiff")
    if options.depth == 16 and not has_16:
        raise EncodeError(
            f"{options.format.upper()} holds 8 bits here, not 16; use --format png or tiff, or --depth 8"
        )
    wanted: Literal[8, 16] = image.depth if options.depth == "auto" else options.depth
    depth: Literal[8, 16] = wanted if has_16 else 8
    if depth == image.depth:
        return image
    convert = _to_8 if depth == 8 else _to_16
    alpha = None if image.alpha is None else convert(image.alpha)
    return replace(image, pixels=convert(image.pixels), alpha=alpha)


def _to_8(samples: Pixels) -> Pixels:
    table: NDArray[np.uint8] = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return np.take(table, samples)


def _to_16(samples: Pixels) -> Pixels:
    return samples.astype(np.uint16) * np.uint16(257)
