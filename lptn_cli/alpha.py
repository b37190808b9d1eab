"""Transparent photos: what is hidden has no say in how the rest looks."""

from __future__ import annotations

import numpy as np

from lptn_cli.codecs.image import Pixels
from lptn_cli.finish import STRIP_ROWS


def as_seen(pixels: Pixels, alpha: Pixels) -> Pixels:
    """(H, W, 3) pixels, laid over the mean of what their alpha, (H, W) of the same type, lets be seen.

    Where nothing is seen, or all, the pixels as they are. Raises ValueError for an alpha of other shape or
    type.
    """
    if alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype:
        raise ValueError(f"alpha must be {pixels.shape[:2]} {pixels.dtype}, not {alpha.shape} {alpha.dtype}")
    if alpha.min() == np.iinfo(alpha.dtype).max:
        return pixels
    most = np.float32(np.iinfo(alpha.dtype).max)
    # strips: several floats a value are needed, and photos are large
    strips = [slice(top, top + STRIP_ROWS) for top in range(0, len(pixels), STRIP_ROWS)]
    total = alpha.sum(dtype=np.float64) / most
    if not total:
        return pixels
    sums = [(pixels[rows] * (alpha[rows, :, None] / most)).sum((0, 1), dtype=np.float64) for rows in strips]
    mean = (np.sum(sums, axis=0) / total).astype(np.float32)
    seen: Pixels = np.empty_like(pixels)
    for rows in strips:
        seen[rows] = np.rint(mean + (pixels[rows] - mean) * (alpha[rows, :, None] / most))
    return seen
