"""Albedo textures of walls and roofs, in metres: a flat side of a house seen from straight ahead."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from demo.scene_noise import F32, colour, f32, tile

GRAIN = 512


@dataclass(frozen=True)
class Skin:
    """A flat side's texture: albedo (h, w, 3), mirror share (h, w), coverage (h, w)."""

    albedo: F32
    mirror: F32
    cover: F32


@cache
def _base(seed: int) -> F32:
    return tile(GRAIN, 4, 7, 0.78, seed)


def _grain(shape: tuple[int, int], fine: float, seed: int) -> F32:
    """Noise (h, w) with about `fine` pixels to the smallest grain."""
    base = _base(seed)
    zoom = np.array([[1.0 / fine, 0.0, 0.0], [0.0, 1.0 / fine, 0.0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return f32(cv2.warpAffine(base, zoom, shape[::-1], flags=flags, borderMode=cv2.BORDER_WRAP))


@dataclass(frozen=True)
class Style:
    """A facade: plaster colour, storey and window measures in metres, shutters and a door or not."""

    plaster: tuple[float, float, float]
    storey: float = 3.0
    bay: float = 2.4
    window: tuple[float, float] = (1.05, 1.5)
    shutters: tuple[float, float, float] | None = None
    frame: float = 0.62
    plinth: float = 0.6
    door: bool = False


def _box(
    field: F32, ppm: float, x: float, z: float, w: float, h: float, value: F32 | float, shape_h: float
) -> None:
    """Fill a rectangle given in metres from the lower left corner."""
    top, bottom = round((shape_h - z - h) * ppm), round((shape_h - z) * ppm)
    left, right = round(x * ppm), round((x + w) * ppm)
    field[max(top, 0) : max(bottom, top + 1, 0), max(left, 0) : max(right, left + 1, 0)] = value


def facade(width: float, height: float, ppm: float, seed: int, style: Style, eaves: float = 0.5) -> Skin:
    """A plastered wall with windows; the uppermost `eaves` metres lie in the shade of the roof."""
    rng = np.random.default_rng([seed + 1000, 80])
    shape = (max(4, round(height * ppm)), max(4, round(width * ppm)))
    stain = _grain(shape, max(0.25, ppm / 60.0), seed % 7)
    rough = _grain(shape, max(0.25, ppm / 400.0), seed % 5 + 10)
    wall = np.asarray(style.plaster, np.float32) * (1.0 + 0.07 * stain + 0.05 * rough)[..., None]
    z = (shape[0] - np.arange(shape[0], dtype=np.float32)) / np.float32(ppm)
    soil = 1.0 - 0.35 * np.exp(-z / 0.7) - 0.10 * np.exp(-(height - z) / 1.2)
    wall = wall * soil[:, None, None]
    mirror = np.zeros(shape, np.float32)
    _box(wall, ppm, 0, 0, width, style.plinth, f32(style.plaster) * 0.6, height)
    bays = max(1, int((width - 0.8) / style.bay))
    entrance = int(rng.integers(bays))
    margin = (width - bays * style.bay) / 2
    for floor in range(max(1, int((height - 0.3) / style.storey))):
        for k in range(bays):
            x = margin + (k + 0.5) * style.bay - style.window[0] / 2
            if style.door and floor == 0 and k == entrance:
                _door(wall, mirror, ppm, margin + (k + 0.5) * style.bay, height, rng)
                continue
            foot = floor * style.storey + max(0.9, style.storey - style.window[1] - 0.6)
            _window(wall, mirror, ppm, (x, foot), style, height, rng)
    if eaves > 0:
        depth = ramp_down(height - z, eaves)
        wall *= (1.0 - 0.6 * depth)[:, None, None]
    return Skin(
        np.clip(wall, 0.004, 0.95).astype(np.float32),
        mirror,
        np.ones(shape, np.float32),
    )


def _door(wall: F32, mirror: F32, ppm: float, x: float, height: float, rng: np.random.Generator) -> None:
    """A panelled door under a fanlight, in a stone surround, with a step."""
    stone, wood = (
        colour(0.36, 0.33, 0.29),
        colour(*rng.uniform((0.03, 0.04, 0.03), (0.14, 0.09, 0.08)).tolist()),
    )
    _box(wall, ppm, x - 0.75, 0.0, 1.5, 2.75, stone, height)
    _box(wall, ppm, x - 0.55, 0.15, 1.1, 2.45, stone * 0.25, height)
    _box(wall, ppm, x - 0.52, 0.15, 1.04, 2.0, wood, height)
    for left in (-0.44, 0.06):
        for low, tall in ((0.28, 0.7), (1.08, 0.95)):
            _box(wall, ppm, x + left, low, 0.38, tall, wood * 0.6, height)
            _box(wall, ppm, x + left + 0.03, low, 0.35, tall - 0.03, wood * 1.2, height)
    _box(wall, ppm, x - 0.48, 2.22, 0.96, 0.34, colour(0.03, 0.035, 0.04), height)
    _box(mirror, ppm, x - 0.48, 2.22, 0.96, 0.34, 0.35, height)
    _box(wall, ppm, x - 0.9, 0.0, 1.8, 0.15, stone * 1.1, height)


def ramp_down(x: F32, width: float) -> F32:
    """1 at 0, falling sharply to 0 around `width`."""
    return np.asarray(
        1.0 / (1.0 + np.exp(np.clip((x - width) * 14.0 / max(width, 0.1), -30, 30))), np.float32
    )


def _window(
    wall: F32,
    mirror: F32,
    ppm: float,
    at: tuple[float, float],
    style: Style,
    height: float,
    rng: np.random.Generator,
) -> None:
    """One window: reveal, frame, panes, curtain, sill with its shadow, shutters."""
    x, z = at
    w, h = style.window
    base = f32(style.plaster)
    pale = style.frame * np.float32(rng.uniform(0.9, 1.05)) * colour(1.0, 0.98, 0.93)
    _box(wall, ppm, x - 0.13, z - 0.10, w + 0.26, h + 0.26, np.clip(base * 1.12, 0, 0.8), height)
    _box(wall, ppm, x, z, w, h, pale * 0.45, height)
    _box(wall, ppm, x + 0.03, z, w - 0.06, h - 0.10, pale, height)
    dark = colour(0.020, 0.024, 0.030) * np.float32(rng.uniform(0.6, 1.6))
    shine = float(rng.uniform(0.10, 0.55))
    for side in (0, 1):
        pane = (x + 0.08 + side * (w / 2 - 0.02), z + 0.08, w / 2 - 0.12, h - 0.24)
        for part in ((0.0, 0.58), (0.63, 0.37)):
            low, tall = pane[1] + pane[3] * part[0], pane[3] * part[1]
            _box(wall, ppm, pane[0], low, pane[2], tall, dark, height)
            _box(mirror, ppm, pane[0], low, pane[2], tall, shine, height)
    if rng.random() < 0.5:
        veil = colour(0.34, 0.32, 0.28) * np.float32(rng.uniform(0.5, 1.0))
        for hem in (0.09, w - 0.30):
            _box(wall, ppm, x + hem, z + 0.1, 0.21, h - 0.26, veil, height)
    _box(wall, ppm, x - 0.12, z - 0.24, w + 0.24, 0.14, base * 0.5, height)
    _box(wall, ppm, x - 0.14, z - 0.12, w + 0.28, 0.09, pale * 0.9, height)
    if style.shutters:
        tone = f32(style.shutters) * np.float32(rng.uniform(0.85, 1.15))
        for left in (x - w / 2 - 0.10, x + w + 0.10):
            _box(wall, ppm, left + 0.05, z - 0.06, w / 2, h, base * 0.55, height)
            for slat in np.arange(0.0, h - 0.05, 0.085).tolist():
                _box(wall, ppm, left, z + slat, w / 2, 0.055, tone, height)
                _box(wall, ppm, left, z + slat + 0.055, w / 2, 0.03, tone * 0.5, height)


def tiles(width: float, height: float, ppm: float, seed: int, tone: tuple[float, float, float]) -> Skin:
    """A tiled roof: rows of curved tiles, each of its own colour, with moss and soot."""
    shape = (max(4, round(height * ppm)), max(4, round(width * ppm)))
    y = np.arange(shape[0], dtype=np.float32)[:, None] / np.float32(ppm * 0.30)
    x = np.arange(shape[1], dtype=np.float32)[None] / np.float32(ppm * 0.24) + 0.5 * np.mod(np.floor(y), 2.0)
    cell = np.mod(np.sin(np.floor(x) * 12.9898 + np.floor(y) * 78.233 + seed) * 43758.5453, 1.0)
    seen = np.clip(
        (ppm - 5.0) / 12.0, 0.0, 1.0
    )  # tiles under about three pixels are left to the colour noise
    curve = 1.0 + seen * (0.25 * np.sin(np.mod(x, 1.0) * np.pi) - 0.16)
    lip = 1.0 - seen * 0.65 * np.clip((np.mod(y, 1.0) - 0.82) / 0.18, 0, 1)
    moss = _grain(shape, max(0.25, ppm / 45.0), seed % 7 + 20)
    value = curve * lip * (0.78 + 0.44 * cell) * (1.0 + 0.13 * moss)
    albedo = np.asarray(tone, np.float32) * value[..., None]
    albedo[..., 0] *= 1.0 - 0.10 * np.clip(moss, 0, 2)
    return Skin(
        np.clip(albedo, 0.004, 0.9).astype(np.float32),
        np.zeros(shape, np.float32),
        np.ones(shape, np.float32),
    )


def plain(width: float, height: float, ppm: float, seed: int, tone: tuple[float, float, float]) -> Skin:
    """Bare masonry."""
    shape = (max(4, round(height * ppm)), max(4, round(width * ppm)))
    rough = _grain(shape, max(0.25, ppm / 120.0), seed % 7 + 30)
    albedo = np.asarray(tone, np.float32) * np.clip(1.0 + 0.16 * rough, 0.3, 1.7)[..., None]
    return Skin(
        albedo.astype(np.float32),
        np.zeros(shape, np.float32),
        np.ones(shape, np.float32),
    )


def gable(
    width: float,
    height: float,
    ppm: float,
    seed: int,
    style: Style | None,
    eave: float,
    tone: tuple[float, float, float],
) -> Skin:
    """A facade (or, without a style, a tiled roof) as wide up to `eave` metres, then running to a point."""
    size = (width, height, ppm, seed)
    skin = facade(*size, style, 0.0) if style else tiles(*size, tone)
    h, w = skin.cover.shape
    z = (h - 0.5 - np.arange(h, dtype=np.float32))[:, None] / h * height
    x = np.abs((np.arange(w, dtype=np.float32) + 0.5) / w - 0.5)[None] * 2.0
    inside = np.clip(((height - z) / (height - eave) - x) * w * 0.5 + 0.5, 0.0, 1.0)
    return Skin(skin.albedo, skin.mirror, f32(inside))


def curtain(
    width: float, height: float, ppm: float, seed: int, tone: tuple[float, float, float], glass: float
) -> Skin:
    """An office tower: ribbons or grids of glass, each pane with its own blind and its own reflection."""
    rng = np.random.default_rng([seed + 1000, 81])
    storey, bay = float(rng.choice([3.3, 3.6, 3.9])), float(rng.choice([1.5, 2.4, 3.0]))
    rows, cols = max(2, int(height / storey)), max(2, int(width / bay))
    fine = (rows * 8, cols * 8)
    v = (np.arange(fine[0]) % 8)[:, None] / 8.0
    u = (np.arange(fine[1]) % 8)[None] / 8.0
    band, post = float(rng.uniform(0.25, 0.5)), float(rng.choice([0.12, 0.25, 0.38]))
    pane = ((v > band) & (u > post)).astype(np.float32)
    each = rng.random((rows, cols)).astype(np.float32).repeat(8, 0).repeat(8, 1)
    blind = (rng.random((rows, cols)) < 0.22).astype(np.float32).repeat(8, 0).repeat(8, 1)
    floor = rng.normal(1.0, 0.04, (rows, 1)).repeat(8, 0)
    stone = np.asarray(tone, np.float32) * floor[..., None] * np.ones((*fine, 1), np.float32)
    inside = (
        colour(0.03, 0.035, 0.04) * (0.5 + each)[..., None]
        + colour(0.22, 0.21, 0.19) * (blind * each)[..., None]
    )
    albedo = f32(stone + (inside - stone) * pane[..., None])
    mirror = pane * np.float32(glass) * (0.65 + 0.35 * each) * (1.0 - 0.5 * blind)
    shape = (max(4, round(height * ppm)), max(4, round(width * ppm)))
    way = cv2.INTER_AREA if shape[0] < fine[0] else cv2.INTER_LINEAR
    size = (shape[1], shape[0])
    albedo = f32(cv2.resize(f32(albedo), size, interpolation=way))
    streak = 1.0 + 0.05 * _grain(shape, max(0.25, ppm / 8.0), seed % 7)
    return Skin(
        (albedo * streak[..., None]).astype(np.float32),
        f32(cv2.resize(f32(mirror), size, interpolation=way)),
        np.ones(shape, np.float32),
    )
