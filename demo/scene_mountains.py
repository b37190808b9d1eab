"""Mountains: a height map shaped like eroded rock, its light, its cover of snow, rock, scree and grass."""

import numpy as np

from demo.scene_noise import F32, blend, colour, enlarge, ramp, sample, tile
from demo.scene_plants import SPRUCE, Stage, tree
from demo.scene_sky import Light
from demo.scene_view import Hits, Land, View, normals, shadow

SIDE = 1024  # height map pixels


def eroded(n: int, cells: int, octaves: int, seed: int) -> F32:
    """Ridged noise whose fine octaves fade on steep ground, as water would have it; about 0..1, (n, n)."""
    total = np.zeros((n, n), np.float32)
    gx_sum, gy_sum = np.zeros_like(total), np.zeros_like(total)
    weight, power = 1.0, 0.0
    carry = np.ones_like(total)
    for octave in range(octaves):
        side = cells << octave
        grid = np.random.default_rng([seed, octave]).standard_normal((side, side), np.float32)
        layer = enlarge(grid, n)
        gy, gx = np.gradient(layer, np.float32(n / side * 0.55))
        gx_sum, gy_sum = gx_sum + gx * weight, gy_sum + gy * weight
        ridge = np.square(np.clip(1.0 - np.abs(layer) * 0.75, 0, 1))
        total += np.float32(weight) * ridge * carry / (1.0 + 0.22 * (gx_sum**2 + gy_sum**2))
        carry = np.clip(carry * (0.35 + 0.9 * ridge), 0, 1)
        power += weight
        weight *= 0.52
    return np.asarray(total / np.float32(0.62 * power), np.float32)


def range_land(size: float, near: float, peak: float, seed: int) -> Land:
    """A valley, open towards the camera, between mountains up to about `peak` metres; the lake lies at 0."""
    rock = eroded(SIDE, 4, 8, seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / np.float32(SIDE)
    wind = 0.05 * np.sin(y * 9.0 + 1.0)
    away = np.abs(x - 0.5 - wind)
    wall = 0.85 * ramp(away, 0.05, 0.42) * ramp(y, 0.02, 0.16) + 0.9 * ramp(y, 0.22, 0.80)
    wall = np.clip(wall, 0.0, 1.15)
    height = np.float32(peak) * wall * (0.10 + 0.90 * rock) - np.float32(14.0) * (
        1 - ramp(y + away, 0.1, 0.33)
    )
    return Land(np.asarray(height, np.float32), size, near)


def surface(view: View, land: Land, hits: Hits, light: Light, seed: int) -> F32:
    """Radiance (H, W, 3) of the land at every hit: albedo by height and slope, sun, shadow and sky."""
    grit = tile(1024, 8, 7, 0.72, seed + 20)
    normal = land.lookup(normals(land), hits.x, hits.y)
    height = land.lookup(land.height, hits.x, hits.y)
    sunny = land.lookup(shadow(land, light.sun, 25.0), hits.x, hits.y)
    steep = ramp(normal[..., 2], 0.88, 0.62)
    mid, fine = (_rock_noise(grit, hits, height, steep, period) for period in (2600.0, 420.0))
    for axis, bump in ((0, mid), (1, fine)):
        normal[..., axis] += 0.16 * bump
        normal[..., 2 - axis] += 0.10 * (mid if axis else fine)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    facing = np.asarray(normal @ light.sun, np.float32)
    flat = normal[..., 2]
    bands = sample(grit, hits.x * 0.15, height * 2.0 + 0.3 * hits.x, 1500.0)
    rock = colour(0.20, 0.18, 0.165) * (1.0 + 0.22 * mid + 0.20 * fine + 0.16 * bands)[..., None]
    grass = colour(0.085, 0.105, 0.035) * (1.0 + 0.18 * fine + 0.2 * mid)[..., None]
    woods = colour(0.026, 0.042, 0.018) * (1.0 + 0.3 * fine)[..., None]
    albedo = blend(rock, grass, ramp(flat + 0.05 * mid - height / 9000.0, 0.58, 0.72))
    albedo = blend(albedo, woods, ramp(height + 130.0 * mid - 700.0 * flat, 250.0, -150.0))
    snow = ramp(height + 170.0 * mid + 90.0 * fine + 1100.0 * (flat - 0.66), 1250.0, 1480.0)
    albedo = blend(np.clip(albedo, 0.004, 1.0), colour(0.80, 0.82, 0.85), snow)
    hollow = np.clip(0.62 + 0.38 * flat + 0.10 * mid + 0.08 * fine, 0.2, 1.1)
    return np.asarray(albedo * light.shade(facing, sunny, hollow), np.float32)


def _rock_noise(grit: F32, hits: Hits, height: F32, steep: F32, period: float) -> F32:
    """Noise laid on the map where it is flat and on the wall where it is steep, so that it never smears."""
    level = sample(grit, hits.x, hits.y, period)
    wall = sample(grit, hits.x + 0.55 * hits.y, 1.1 * height + 0.2 * hits.y, period)
    return np.asarray(level + (wall - level) * steep, np.float32)


def forest(stage: Stage, land: Land, count: int, line: float, seed: int) -> None:
    """Plant spruces below the tree line, far ones first; they gather where a noise says so."""
    rng = np.random.default_rng([seed, 31])
    kinds = [tree(SPRUCE, stage.light, 480, seed + k) for k in range(5)]
    small = [kind.scaled(60, False) for kind in kinds]
    groves = tile(256, 4, 4, 0.6, seed + 30)
    sunny = shadow(land, stage.light.sun, 25.0)
    depth = np.sort(np.exp(rng.uniform(np.log(420.0), np.log(5200.0), count)))[::-1].astype(np.float32)
    across = (rng.uniform(-0.5, 0.5, count) / stage.view.focal * 1.05).astype(np.float32) * depth
    ground = land.lookup(land.height, across[None], depth[None])[0]
    slope = land.lookup(normals(land), across[None], depth[None])[0, :, 2]
    lit = land.lookup(sunny, across[None], depth[None])[0]
    here = sample(groves, across[None], depth[None], 1800.0)[0]
    grows = (ground > 1.0) & (ground + 160.0 * here < line) & (slope > 0.45) & (here > -1.1)
    for k in np.flatnonzero(grows):
        tall = float(rng.uniform(13.0, 27.0))
        pixels = tall * stage.view.f / float(depth[k])
        kind = (small if pixels < 60 else kinds)[int(rng.integers(5))]
        foot = (float(across[k]), float(depth[k]), float(ground[k]) - 0.6)
        stage.plant(
            kind,
            foot,
            tall,
            0.15 + 0.85 * float(lit[k]),
            float(rng.uniform(0.75, 1.25)),
            bool(rng.random() < 0.5),
        )
