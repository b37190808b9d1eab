"""Seamless fractal noise, the raw material of every texture in the scenes."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

F32 = NDArray[np.float32]


def tile(n: int, cells: int, octaves: int, gain: float, seed: int) -> F32:
    """A seamless (n, n) tile of fractal noise, mean about 0, spread about 1.

    The first octave has `cells` random values a side, each next one twice as many, weighted by `gain`.
    `n` and `cells` are powers of two. The shape does not depend on `n`.
    """
    total = np.zeros((n, n), np.float32)
    weight, power = 1.0, 0.0
    for octave in range(octaves):
        side = min(cells << octave, n)
        grid = np.random.default_rng([seed, octave]).standard_normal((side, side), np.float32)
        total += weight * enlarge(grid, n)
        power += weight * weight
        weight *= gain
    return np.asarray(total / np.float32(1.0 * power**0.5 * 0.62), np.float32)


def enlarge(grid: F32, n: int) -> F32:
    """A square grid resized to (n, n) by cubic interpolation, seamless across the edges."""
    side = grid.shape[0]
    if side == n:
        return grid
    pad, step = 2, n // side
    wide = cv2.copyMakeBorder(grid, pad, pad, pad, pad, cv2.BORDER_WRAP)
    big = cv2.resize(wide, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    return np.asarray(big[pad * step : pad * step + n, pad * step : pad * step + n], np.float32)


def sample(texture: F32, x: F32, y: F32, period: float) -> F32:
    """The seamless texture at world positions x, y (same shape); it repeats every `period` units."""
    n = texture.shape[0]
    u, v = wrapped(x, n, period), wrapped(y, n, period)
    return f32(cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def wrapped(x: F32, n: int, period: float) -> F32:
    """World positions as pixels 0..n of a tile that repeats every `period` units."""
    turn = x * np.float32(1.0 / period)
    turn -= np.floor(turn)  # many times faster than np.mod
    turn *= np.float32(n)
    return turn


def f32(x: ArrayLike) -> F32:
    """As float32: numpy and OpenCV type their results too widely."""
    return np.asarray(x, np.float32)


def ramp(x: F32, low: float, high: float) -> F32:
    """Smooth step: 0 below `low`, 1 above `high` (falls when low > high)."""
    t = np.clip((x - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def blend(a: F32, b: F32, t: F32) -> F32:
    """a where t is 0, b where t is 1; t is (H, W), a and b are (H, W, 3) or a colour (3,)."""
    out = b - a
    out = out * t[..., None]
    out += a
    return f32(out)


def colour(r: float, g: float, b: float) -> F32:
    """A linear-light colour as a (3,) float32 array."""
    return np.array([r, g, b], np.float32)
