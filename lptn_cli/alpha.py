"""Transparent photos: what is hidden has no say in how the rest looks."""

from __future__ import annotations

import numpy as np

from lptn_cli.codecs.image import Pixels


def as_seen(pixels: Pixels, alpha: Pixels) -> Pixels:
    """(H, W, 3) pixels, laid over the mean of what their alpha, (H, W) of the same type, lets be seen.

    Where nothing is seen, or all, the pixels as they are. Raises ValueError for an alpha of other shape or
    type.
    """
    if alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype:
        raise ValueError(f"alpha must be {pixels.shape[:2]} {pixels.dtype}, not {alpha.shape} {alpha.dtype}")
    if alpha.min() == np.iinfo(alpha.dtype).max:
        return pixels
    share = alpha[..., None].astype(np.float32) / np.iinfo(alpha.dtype).max
    total = share.sum(dtype=np.float64)
    if not total:
        return pixels
    mean = ((pixels * share).sum((0, 1), dtype=np.float64) / total).astype(np.float32)
    seen: Pixels = np.rint(mean + (pixels - mean) * share).astype(pixels.dtype)
    return seen
