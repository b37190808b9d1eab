"""From scene light to a photograph: tone curve, lens softness and sensor noise; and the unedited raw look."""

import cv2
import numpy as np

from demo.scene_noise import F32, f32


def encode(linear: F32) -> F32:
    """sRGB transfer curve, [0, 1] to [0, 1]."""
    x = np.clip(linear, 0.0, 1.0)
    curve = f32(cv2.pow(x, 1 / 2.4))
    curve *= np.float32(1.055)
    curve -= np.float32(0.055)
    return np.where(x <= np.float32(0.0031308), x * np.float32(12.92), curve)


def decode(srgb: F32) -> F32:
    """Inverse of `encode`."""
    x = np.clip(srgb, 0.0, 1.0)
    return np.asarray(
        np.where(x <= 0.04045, x / 12.92, f32(cv2.pow(f32((x + 0.055) / 1.055), 2.4))), np.float32
    )


def develop(radiance: F32, exposure: float = 1.0, colourfulness: float = 1.1) -> F32:
    """Scene radiance (H, W, 3) to sRGB in [0, 1]: a film-like curve with a soft shoulder."""
    out = np.empty_like(radiance)
    for top in range(0, len(radiance), 64):  # a band stays in the cache
        x = np.clip(radiance[top : top + 64], 0.0, None) * np.float32(exposure)
        grey = (x @ np.array([0.2126, 0.7152, 0.0722], np.float32))[..., None]
        x = np.clip(grey + (x - grey) * np.float32(colourfulness), 0.0, None)
        # Narkowicz' fit of the ACES curve, softened in the toe
        out[top : top + 64] = encode(f32((x * (2.2 * x + 0.06)) / (x * (2.1 * x + 0.75) + 0.16)))
    return out


def expose(srgb: F32, seed: int, softness: float, noise: float) -> F32:
    """Lens softness (pixels) and sensor noise (share of full scale, less in the lights), on sRGB."""
    if softness > 0:
        srgb = np.asarray(cv2.GaussianBlur(srgb, (0, 0), softness), np.float32)
    height, width = srgb.shape[:2]
    rng = np.random.default_rng([seed, 77])
    grain = rng.standard_normal((height, width), np.float32)
    tint = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), np.float32)
    tint = f32(cv2.resize(tint, (width, height), interpolation=cv2.INTER_LINEAR))
    tint *= np.float32(0.5)
    tint += grain[..., None]
    tint *= np.float32(noise) * (1.3 - srgb)
    tint += srgb
    return f32(np.clip(tint, 0.0, 1.0, out=tint))


def as_raw(rgb: F32, seed: int = 1) -> F32:
    """The picture as a raw converter shows it unedited: about 1 EV dark, flat, pale, white balance a bit off.

    (H, W, 3) sRGB in [0, 1] to the same. This is the material that the `retouch` preset mends.
    """
    rng = np.random.default_rng([seed, 78])
    warm = np.float32(rng.uniform(-0.05, 0.07))
    linear = (
        decode(rgb)
        * np.array([1 + warm, 1.0, 1 - warm], np.float32)
        * np.float32(2 ** rng.uniform(-1.05, -0.75))
    )
    grey = linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    linear = grey[..., None] + (linear - grey[..., None]) * np.float32(0.74)
    flat = encode(f32(linear))
    # lift the blacks a little and bend the lights down: a flat curve around the middle
    return np.asarray(0.035 + 0.93 * flat - 0.04 * flat * flat, np.float32)
