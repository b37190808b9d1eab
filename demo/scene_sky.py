"""Sky, sunlight and clouds. Radiance is linear light, 1.0 about the brightness of a white wall in the sun."""

from dataclasses import dataclass

import cv2
import numpy as np

from demo.scene_noise import F32, blend, colour, enlarge, f32, ramp, sample, tile, wrapped
from demo.scene_view import View


@dataclass(frozen=True)
class Light:
    """Unit vector to the sun, irradiance of sun and sky, colour of the air, haze distance in metres."""

    sun: F32
    direct: F32
    ambient: F32
    air: F32
    reach: float

    def shade(self, facing: F32, lit: F32 | float, open_sky: F32 | float) -> F32:
        """Irradiance (..., 3): `facing` is the cosine to the sun, `lit` and `open_sky` are 0..1."""
        sun = (np.clip(facing, 0.0, None) * lit)[..., None] * self.direct
        sky = np.broadcast_to(np.asarray(open_sky, np.float32), facing.shape)[..., None] * self.ambient
        return np.asarray(sun + sky, np.float32)

    def left(self, distance: F32 | float) -> F32:
        """The share of red, green and blue that comes through `distance` metres of air, (..., 3)."""
        # blue is scattered out first, so the near haze is blue and the far haze is white
        rate = np.array([0.72, 1.0, 1.45], np.float32) / np.float32(self.reach)
        return np.asarray(np.exp(-np.asarray(distance, np.float32)[..., None] * rate), np.float32)

    def haze(self, radiance: F32, distance: F32) -> F32:
        """What is left of the radiance (H, W, 3) behind `distance` (H, W) metres of air: far turns to air."""
        left = self.left(distance)
        return np.asarray(radiance * left + self.air * (1.0 - left), np.float32)


def daylight(azimuth: float, elevation: float, reach: float = 26000.0, warmth: float = 0.0) -> Light:
    """Sunlight from `azimuth` degrees (0 ahead, 90 right, 180 behind) and `elevation` degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    sun = np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)], np.float32)
    direct = colour(1.0, 0.93 - 0.08 * warmth, 0.80 - 0.25 * warmth) * 1.75
    return Light(sun, direct.astype(np.float32), colour(0.26, 0.36, 0.52), colour(0.50, 0.62, 0.76), reach)


def clear_sky(view: View, light: Light) -> F32:
    """The cloudless sky, (H, W, 3): deep above, pale at the horizon, brighter near the sun."""
    up = np.clip(view.rows, 0.0, None)[:, None]
    x = np.broadcast_to(view.columns[None, :], (view.height, view.width))
    norm = np.sqrt(1.0 + x * x + up * up)
    sine = up / norm
    deep = colour(0.055, 0.17, 0.46)
    pale = np.asarray(light.air * 1.12, np.float32)
    sky = blend(deep, pale, np.asarray(np.exp(-sine * 5.5), np.float32))
    toward = (x * light.sun[0] + light.sun[1] + up * light.sun[2]) / norm
    glow = np.clip(toward, 0.0, 1.0) ** 6 * 0.55 + np.clip(toward, 0.0, 1.0) ** 60 * 0.8
    return np.asarray(sky + glow[..., None] * colour(0.9, 0.85, 0.75), np.float32)


@dataclass(frozen=True)
class Clouds:
    """Cumulus: cover 0..1, base and thickness in metres, cirrus strength 0..1."""

    cover: float = 0.5
    base: float = 1300.0
    depth: float = 1300.0
    cirrus: float = 0.3
    period: float = 17000.0
    layers: int = 24


def _layer_noise(n: int, height: float, seed: int) -> F32:
    """A slice of a 3-D fractal noise at `height` (0..1 of the cloud's thickness), (n, n)."""
    total = np.zeros((n, n), np.float32)
    weight = 1.0
    for octave, cells in enumerate((16, 32, 64, 128, 256)):
        place = height * cells / 16.0 * 2.0
        low = int(place)
        part = np.float32(place - low)
        a, b = (
            np.random.default_rng([seed, octave, low + k]).standard_normal((cells, cells), np.float32)
            for k in (0, 1)
        )
        # normalised, or the noise would be weaker between two knots than on them
        mixed = (a * (1 - part) + b * part) / np.sqrt(part**2 + (1 - part) ** 2)
        total += np.float32(weight) * enlarge(np.asarray(mixed, np.float32), n)
        weight *= 0.55
    return total


def _cloud_layers(clouds: Clouds, light: Light, n: int, seed: int) -> list[tuple[float, F32]]:
    """(height in metres, (n, n, 2) of density and sunlight) from the top layer down."""
    region = tile(n, 8, 2, 0.5, seed)
    thickness = clouds.depth / clouds.layers
    flat = float(np.hypot(light.sun[0], light.sun[1]))
    step = thickness / max(float(light.sun[2]), 0.25) * flat / (clouds.period / n)
    move = np.array([[1, 0, light.sun[0] / flat * step], [0, 1, light.sun[1] / flat * step]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    above = np.zeros((n, n), np.float32)
    found = []
    for index in reversed(range(clouds.layers)):
        h = (index + 0.5) / clouds.layers
        shape = region * 0.85 + _layer_noise(n, h, seed + 1) * 0.42
        threshold = 1.55 - 1.9 * clouds.cover + 1.35 * h**1.3 + 0.9 * max(0.0, 0.08 - h) / 0.08
        density = ramp(shape, threshold - 0.05, threshold + 0.75)
        above = density + f32(cv2.warpAffine(above, move, (n, n), flags=flags, borderMode=cv2.BORDER_WRAP))
        found.append((clouds.base + h * clouds.depth, np.dstack([density, above])))
    return found


def add_clouds(view: View, sky: F32, light: Light, clouds: Clouds, seed: int) -> F32:
    """The sky (H, W, 3) with volumetric cumulus, marched layer by layer from the top down, and cirrus."""
    rows = int(view.horizon * view.height)
    small = View(view.width // 2, view.height // 2, view.focal, view.horizon, view.eye)
    up = np.clip(small.rows[: rows // 2 + 1], 0.004, None)[:, None]
    across = np.broadcast_to(small.columns[None, :], (up.shape[0], small.width))
    cover = np.zeros(across.shape, np.float32)
    bright = np.zeros((*across.shape, 3), np.float32)
    fine = tile(512, 8, 6, 0.62, seed + 9)
    thickness = clouds.depth / clouds.layers
    n = 1024 if view.width > 1500 else 512
    # each ray meets the layers at its own heights: grain, blurred below, instead of steps
    jitter = np.random.default_rng([seed, 3]).random(across.shape, np.float32) * np.float32(thickness)
    for height, layer in _cloud_layers(clouds, light, n, seed):
        y = np.asarray((np.float32(height) + jitter) / up, np.float32)
        x = y * across
        field = cv2.remap(
            layer,
            wrapped(x, n, clouds.period),
            wrapped(y, n, clouds.period),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        rise = (height - clouds.base) / clouds.depth
        detail = sample(fine, x + np.float32(height * 0.2), y + np.float32(height * 0.15), 1500.0)
        density = np.clip(field[..., 0] + 0.13 * detail * (field[..., 0] > 0.001), 0.0, 1.0)
        opacity = 1.0 - np.exp(-density * np.float32(thickness * 0.022))
        sunlight = 0.75 * np.exp(-0.55 * field[..., 1]) + 0.25 * np.exp(-0.09 * field[..., 1])
        tone = light.direct * np.float32(0.85) * sunlight[..., None]
        tone = f32(tone) + light.ambient * np.float32(0.45 + 0.6 * rise)
        cover = f32(cover * (1 - opacity) + opacity)
        bright = f32(bright * (1 - opacity[..., None]) + tone * opacity[..., None])
    far = np.broadcast_to(np.exp(-clouds.base / up / 42000.0), cover.shape).astype(np.float32)
    cover, bright = cover * far, bright * far[..., None]
    return _compose(view, sky, cover, bright, clouds, seed)


def _compose(view: View, sky: F32, cover: F32, bright: F32, clouds: Clouds, seed: int) -> F32:
    """Cirrus over the blue, then the half-size cumulus (premultiplied) over both."""
    rows = min(cover.shape[0] * 2, view.height)
    up = np.clip(view.rows[:rows], 0.01, None)[:, None]
    y = np.asarray(9000.0 / up, np.float32) * np.ones((1, view.width), np.float32)
    x = y * view.columns[None, :]
    if clouds.cirrus > 0:
        veil = tile(1024, 4, 8, 0.62, seed + 5)
        bend = sample(veil, x, y, 90000.0) * np.float32(1500.0)
        streak = sample(veil, x * 0.9 + y * 0.35 + bend, (y * 0.4 - x * 0.15) + bend, 70000.0)
        patch = ramp(sample(veil, x, y, 160000.0), -0.3, 1.2)
        amount = ramp(streak, -0.4, 2.4) * patch * np.float32(clouds.cirrus) * np.exp(-y / 90000.0)
        sky[:rows] = blend(sky[:rows], colour(0.95, 0.97, 1.0), np.asarray(amount, np.float32))
    size = (view.width, rows)
    cover, bright = (
        f32(cv2.resize(cv2.GaussianBlur(p, (0, 0), 1.0), size, interpolation=cv2.INTER_CUBIC))
        for p in (cover, bright)
    )
    sky[:rows] = sky[:rows] * (1 - np.clip(cover, 0, 1)[..., None]) + np.clip(bright, 0, None)
    return sky
