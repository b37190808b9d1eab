"""Still water: the picture above the shore mirrored, broken by ripples."""

import cv2
import numpy as np

from demo.scene_noise import F32, blend, colour, f32, ramp, sample, tile
from demo.scene_sky import Light
from demo.scene_view import View


def add_water(
    view: View, radiance: F32, water: F32, shore: F32, light: Light, seed: int, wind: float = 1.0
) -> F32:
    """The picture with water where `water` (H, W, 0..1) says; `shore` (W,) is the row of the far shore."""
    first = int(view.horizon * view.height)
    rows = view.rows[first:]
    y = np.asarray(np.float32(view.eye) / np.maximum(-rows, 1e-5), np.float32)[:, None] * np.ones(
        (1, view.width), np.float32
    )
    x = y * view.columns[None, :]
    waves = tile(1024, 16, 6, 0.6, seed + 40)
    # a ripple is seen while it spans a pixel or so; beyond, only its blur is left
    print_ = np.square(y) / np.float32(view.eye * view.f)
    slope = np.zeros_like(y)
    for period, strength in ((400.0, 0.0020), (80.0, 0.0035), (17.0, 0.006)):
        seen = np.clip(1.6 - print_ / np.float32(period / 26.0), 0.25, 1.0)
        slope += sample(waves, x * 0.55, y + x * 0.1, period) * seen * np.float32(strength * wind)
    calm = sample(waves, x * 0.35, y * 0.9, 3000.0)
    slope *= 0.55 + 0.45 * ramp(calm, -0.8, 0.8)
    down = np.arange(first, view.height, dtype=np.float32)[:, None]
    mirrored = 2.0 * shore[None, :] - down
    blur = np.float32(view.f * 0.0012 * wind)
    up = mirrored - np.abs(slope) * np.float32(view.f * 1.9) - blur
    side = np.arange(view.width, dtype=np.float32)[None, :] + slope * np.float32(view.f * 0.35)
    soft = cv2.GaussianBlur(radiance, (0, 0), sigmaX=0.7, sigmaY=max(0.8, float(blur)))
    image = cv2.remap(
        soft,
        side.astype(np.float32),
        np.clip(up, 0, None).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    graze = np.clip(-rows[:, None] + 1.2 * slope + 0.012, 0.004, 1.0)
    mirror = 0.03 + 0.93 * np.power(1.0 - np.clip(graze, 0, 1), 6.5)
    deep = colour(0.012, 0.045, 0.050) * light.shade(np.full(y.shape, light.sun[2], np.float32), 1.0, 1.0)
    below = blend(f32(deep), f32(image), np.asarray(mirror, np.float32))
    out = radiance.copy()
    out[first:] = blend(radiance[first:], below, water[first:])
    return out
