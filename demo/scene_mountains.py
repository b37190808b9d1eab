"""Mountains: a height map shaped like eroded rock, its light, its cover of snow, rock, scree and grass."""

import cv2
import numpy as np

from demo.scene_noise import F32, blend, colour, enlarge, f32, ramp, sample, tile
from demo.scene_plants import BUSH, SPRUCE, tree, tuft
from demo.scene_sky import Light
from demo.scene_stage import Stage
from demo.scene_view import Hits, Land, normals, shadow

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
    rock = eroded(SIDE, 8, 7, seed) * 0.6 + eroded(SIDE, 4, 8, seed + 1) * 0.55
    # water and frost leave no needles
    rock = f32(cv2.GaussianBlur(1.25 * rock / (1.0 + 0.55 * rock**2), (0, 0), 1.2))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / np.float32(SIDE)
    wind = 0.05 * np.sin(y * 9.0 + 1.0)
    away = np.abs(x - 0.5 - wind)
    wall = 0.80 * ramp(away, 0.06, 0.40) * ramp(y, 0.03, 0.20) + 0.95 * ramp(y, 0.20, 0.70)
    wall = np.clip(wall, 0.0, 1.15)
    height = np.float32(peak) * wall * (0.16 + 0.84 * rock) - np.float32(14.0) * (
        1 - ramp(y + away, 0.1, 0.33)
    )
    return Land(np.asarray(height, np.float32), size, near)


def surface(land: Land, hits: Hits, light: Light, seed: int) -> F32:
    """Radiance (H, W, 3) of the land at every hit: albedo by height and slope, sun, shadow and sky."""
    grit = tile(1024, 8, 7, 0.72, seed + 20)
    normal = land.lookup(normals(land), hits.x, hits.y)
    height = land.lookup(land.height, hits.x, hits.y)
    sunny = land.lookup(shadow(land, light.sun, 25.0), hits.x, hits.y)
    steep = ramp(normal[..., 2], 0.88, 0.62)
    mid, fine, crisp = (_rock_noise(grit, hits, height, steep, p) for p in (2600.0, 420.0, 75.0))
    crisp *= ramp(hits.y, 9000.0, 3000.0)
    normal += np.stack([0.15 * mid + 0.10 * fine + 0.08 * crisp, 0.20 * fine, 0.08 * mid], 2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    facing = np.asarray(normal @ light.sun, np.float32)
    flat = normal[..., 2]
    bands = sample(grit, hits.x * 0.15, height * 2.0 + 0.3 * hits.x, 1500.0)
    rock = (
        colour(0.20, 0.18, 0.165) * (1.0 + 0.13 * mid + 0.17 * fine + 0.16 * bands + 0.17 * crisp)[..., None]
    )
    grass = colour(0.085, 0.105, 0.035) * (1.0 + 0.18 * fine + 0.2 * mid + 0.16 * crisp)[..., None]
    woods = colour(0.026, 0.042, 0.018) * np.clip(1.0 + 0.3 * fine + 0.45 * crisp, 0.1, 3.0)[..., None]
    albedo = blend(rock, grass, ramp(flat + 0.05 * mid - height / 9000.0, 0.58, 0.72))
    albedo = blend(albedo, woods, ramp(height + 130.0 * mid - 700.0 * flat, 250.0, -150.0))
    dents = f32(cv2.GaussianBlur(land.height, (0, 0), 6.0)) - land.height
    gully = np.clip(land.lookup(f32(dents), hits.x, hits.y), -60.0, 60.0)
    snow = ramp(height + 80.0 * mid + 90.0 * fine + 1500.0 * (flat - 0.68) + 5.0 * gully, 1300.0, 1420.0)
    albedo = blend(np.clip(albedo, 0.004, 1.0), colour(0.80, 0.82, 0.85), snow)
    hollow = np.clip(0.62 + 0.38 * flat + 0.10 * mid + 0.08 * fine, 0.2, 1.1)
    return np.asarray(albedo * light.shade(facing, sunny, hollow), np.float32)


def _rock_noise(grit: F32, hits: Hits, height: F32, steep: F32, period: float) -> F32:
    """Noise laid on the map where it is flat and on the wall where it is steep, so that it never smears."""
    level = sample(grit, hits.x, hits.y, period)
    wall = sample(grit, 1.3 * hits.x + 0.7 * hits.y, 0.62 * height + 0.15 * hits.y, period)
    return np.asarray(level + (wall - level) * steep, np.float32)


def forest(stage: Stage, land: Land, count: int, line: float, seed: int) -> None:
    """Plant spruces below the tree line, far ones first; they gather where a noise says so."""
    rng = np.random.default_rng([seed, 31])
    size = max(60, min(480, round(27.0 * stage.view.f / 420.0)))
    kinds = [tree(SPRUCE, stage.light, size, seed + k) for k in range(5)]
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
        kind = kinds[int(rng.integers(5))]
        foot = (float(across[k]), float(depth[k]), float(ground[k]) - 0.6)
        stage.plant(
            kind,
            foot,
            tall,
            0.15 + 0.85 * float(lit[k]),
            float(rng.uniform(0.75, 1.25)),
            bool(rng.random() < 0.5),
        )


def bank(stage: Stage, seed: int) -> None:
    """The near shore in the lower left corner: turf, bushes and a few tall spruces in front of everything."""
    view, light = stage.view, stage.light
    rng = np.random.default_rng([seed, 32])
    grit = tile(512, 8, 6, 0.75, seed + 33)
    corner = (slice(int(np.argmax(view.rows < -0.06)), view.height), slice(0, round(0.45 * view.width)))
    y = f32(view.eye / -view.rows[corner[0]])[:, None] * np.ones((1, corner[1].stop), np.float32)
    x = y * view.columns[None, corner[1]]
    edge = _bank_edge(y) + 0.8 * sample(grit, x, y, 14.0)
    turf = colour(0.075, 0.095, 0.030) * np.clip(1.0 + 0.3 * sample(grit, x, y, 3.0), 0.2, 2.0)[..., None]
    stones = colour(0.22, 0.21, 0.19) * np.clip(1.0 + 0.35 * sample(grit, x, y, 2.0), 0.2, 2.0)[..., None]
    soil = blend(f32(stones), f32(turf), ramp(edge - x, 0.5, 1.4))
    lit = light.shade(np.full(y.shape, light.sun[2], np.float32), 0.8, 0.8)
    stage.radiance[corner] = blend(stage.radiance[corner], f32(soil * lit), ramp(edge - x, 0.0, 0.12))
    spruces = [
        (-23.5, 44.0, 23.0),
        (-28.5, 50.0, 27.0),
        (-20.5, 52.0, 15.0),
        (-31.0, 58.0, 21.0),
        (-14.2, 36.0, 7.0),
    ]
    tall = round(min(1500, 27.0 * view.f / 50.0))
    grown = [tree(SPRUCE, light, tall, seed + 34 + k) for k in range(3)]
    shrub = tree(BUSH, light, round(min(300, 1.3 * view.f / 14.0)), seed + 38)
    blades = [tuft(light, round(min(400, 0.5 * view.f / 12.0)), seed + k, dry=0.3) for k in range(4)]
    for k, (right, away, high) in enumerate(sorted(spruces, key=lambda s: -s[1])):
        stage.plant(grown[k % 3], (right, away, -0.2), high, 0.9, 1.0, k % 2 == 1)
    for away in np.sort(rng.uniform(12.0, 62.0, 1400))[::-1].tolist():
        left = -0.56 * away / view.focal
        right = left + float(rng.random()) * (float(_bank_edge(f32([away]))[0]) - 0.7 - left)
        if right > left:
            kind, high = (shrub, 1.1) if rng.random() < 0.06 else (blades[int(rng.integers(4))], 0.42)
            high *= float(rng.uniform(0.6, 1.2))
            stage.plant(
                kind, (right, away, -0.03), high, 0.9, float(rng.uniform(0.75, 1.15)), rng.random() < 0.5
            )


def _bank_edge(y: F32) -> F32:
    """x of the water line of the near shore at distance y, metres."""
    return f32(-5.5 - 0.30 * (y - 12.0) - 0.9 * np.sin(y * 0.35) - 30.0 * ramp(y, 52.0, 66.0))
