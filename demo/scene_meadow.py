"""Hills with fields, a meadow in flower, trees and a track: the country in summer."""

import numpy as np

from demo.scene_noise import F32, blend, colour, ramp, sample, tile
from demo.scene_plants import BUSH, OAK, POPLAR, tree, tuft
from demo.scene_shade import Ground
from demo.scene_sky import Light
from demo.scene_stage import Stage
from demo.scene_view import Hits, Land, normals

SIDE = 1024


def hills(size: float, near: float, rise: float, seed: int) -> Land:
    """Level near the camera, rolling up to about `rise` metres far away."""
    shape = tile(SIDE, 4, 4, 0.45, seed + 60)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / np.float32(SIDE)
    roll = ramp(y, 0.02, 0.30) * (0.25 + 0.22 * shape) + 0.75 * ramp(y, 0.35, 0.95) * (0.8 + 0.35 * shape)
    dip = -0.05 * ramp(y, 0.01, 0.08) * ramp(y, 0.25, 0.1)
    return Land(np.asarray(np.float32(rise) * (roll + dip) + 0 * x, np.float32), size, near)


def track(y: F32) -> F32:
    """x of the middle of the farm track at distance y, metres."""
    return np.asarray(-1.2 + 0.055 * y + 2.6 * np.sin(y / 17.0 + 0.4) - 2.6 * np.sin(0.4), np.float32)


def _fields(x: F32, y: F32, seed: int) -> tuple[F32, F32]:
    """(albedo (H, W, 3), distance-free hedge mask (H, W)) of a patchwork of fields."""
    warp = tile(512, 4, 3, 0.5, seed + 61)
    u = x / 240.0 + 0.55 * sample(warp, x, y, 3000.0)
    v = y / 330.0 + 0.55 * sample(warp, x + 900.0, y + 500.0, 3000.0)
    cell = np.floor(u) * 12.9898 + np.floor(v) * 78.233
    pick = np.mod(np.sin(cell) * 43758.5453, 1.0).astype(np.float32)
    edge = np.minimum(np.abs(u - np.round(u)) * 240.0, np.abs(v - np.round(v)) * 330.0)
    green, fresh, wheat = colour(0.075, 0.125, 0.028), colour(0.105, 0.165, 0.035), colour(0.27, 0.215, 0.085)
    albedo = blend(np.broadcast_to(green, (*x.shape, 3)), fresh, ramp(pick, 0.3, 0.6))
    albedo = blend(albedo, wheat, ramp(pick, 0.72, 0.74))
    furrow = 1.0 + 0.07 * np.sin((u * 240.0) / 3.0) * (pick > 0.5)
    return np.asarray(albedo * furrow[..., None], np.float32), ramp(edge, 6.0, 2.5)


def surface(hits: Hits, land: Land, light: Light, shade: Ground, seed: int, path: bool = True) -> F32:
    """Radiance (H, W, 3) of meadow, track and fields."""
    grit = tile(1024, 8, 7, 0.8, seed + 62)
    albedo, hedge = _fields(hits.x, hits.y, seed)
    near = ramp(hits.y, 330.0, 170.0)
    albedo = blend(albedo, colour(0.066, 0.105, 0.024), near)
    hedge = hedge * (1.0 - near)
    blades = sample(grit, hits.x, hits.y * 0.6, 5.0) * ramp(hits.y, 60.0, 10.0)
    stems = sample(grit, hits.x, hits.y * 0.5, 1.1) * ramp(hits.y, 25.0, 5.0)
    patches = sample(grit, hits.x, hits.y, 60.0)
    wide = sample(grit, hits.x, hits.y, 700.0)
    dry = ramp(patches + 0.6 * wide, 0.2, 2.2) * near
    albedo = blend(albedo, colour(0.19, 0.17, 0.065), np.asarray(0.55 * dry, np.float32))
    albedo = (
        albedo
        * np.clip(1.0 + 0.20 * blades + 0.20 * stems + 0.12 * patches + 0.10 * wide, 0.25, 2.0)[..., None]
    )
    albedo = blend(np.asarray(albedo, np.float32), colour(0.030, 0.050, 0.016), hedge)
    if path:
        albedo = _worn(albedo, hits, grit)
    normal = land.lookup(normals(land), hits.x, hits.y)
    facing = normal @ light.sun + 0.14 * blades + 0.05 * patches
    lit = shade.lit(hits.x, hits.y)
    # shadows of clouds drift over the far fields
    lit = lit * (1.0 - 0.55 * ramp(wide + 0.5 * patches, 0.5, 1.6) * ramp(hits.y, 250.0, 700.0))
    return np.asarray(albedo * light.shade(np.asarray(facing, np.float32), lit, 0.9), np.float32)


def _worn(albedo: F32, hits: Hits, grit: F32) -> F32:
    """The albedo with the two ruts of the track."""
    off = np.abs(hits.x - track(hits.y)) + 0.10 * sample(grit, hits.x, hits.y, 6.0)
    rut = ramp(np.abs(off - 0.75), 0.52, 0.25) * ramp(hits.y, 140.0, 110.0)
    stones = 1.0 + 0.13 * sample(grit, hits.x, hits.y, 1.7) + 0.13 * sample(grit, hits.x, hits.y, 9.0)
    gravel = sample(grit, hits.x, hits.y, 0.9) * ramp(hits.y, 30.0, 6.0)
    stones = stones + 0.13 * gravel + 0.5 * ramp(gravel, 1.5, 1.9) * ramp(hits.y, 18.0, 5.0)
    soil = colour(0.30, 0.235, 0.16) * np.clip(stones, 0.3, 1.8)[..., None]
    return blend(albedo, np.asarray(soil, np.float32), rut)


def grass(
    stage: Stage, land: Land, shade: Ground, count: int, seed: int, reach: float = 45.0, start: float = 2.0
) -> None:
    """Tufts of grass and flowers from `reach` metres down to `start` metres away, off the track."""
    rng = np.random.default_rng([seed, 63])
    size = round(min(700, 0.55 * stage.view.f / (start + 0.2)))
    flowers = [
        None,
        None,
        None,
        None,
        colour(0.48, 0.47, 0.44),
        colour(0.46, 0.36, 0.03),
        colour(0.42, 0.05, 0.03),
    ]
    kinds = [
        tuft(stage.light, size, seed + k, dry=0.08 + 0.05 * (k % 4), petals=p) for k, p in enumerate(flowers)
    ]
    # near tufts are large and few
    share = rng.random(count) ** 0.75
    y = np.sort(start * (reach / start) ** share)[::-1].astype(np.float32)
    x = (rng.uniform(-0.58, 0.58, count) / stage.view.focal).astype(np.float32) * y
    z = land.lookup(land.height, x[None], y[None])[0]
    lit = shade.lit(x[None], y[None])[0]
    lush = sample(tile(256, 8, 4, 0.6, seed + 64), x[None], y[None], 30.0)[0]
    off = np.abs(np.abs(x - track(y)) - 0.75)
    for k in np.flatnonzero((off > 0.5) & (lush > -1.6)):
        pick = (
            int(rng.integers(4))
            if rng.random() < 0.72 - 0.12 * float(lush[k])
            else 4 + int(rng.choice(3, p=[0.5, 0.35, 0.15]))
        )
        tall = float(rng.uniform(0.20, 0.42)) * (1.0 + 0.25 * float(lush[k]))
        tall *= 0.45 + 0.55 * min(1.0, (float(off[k]) - 0.5) / 0.6)
        tall *= 0.45 if abs(float(x[k] - track(y[k]))) < 1.3 else 1.0
        foot = (float(x[k]), float(y[k]), float(z[k]) - 0.03)
        stage.plant(
            kinds[pick], foot, tall, float(lit[k]), float(rng.uniform(0.8, 1.2)), bool(rng.random() < 0.5)
        )


def woods(stage: Stage, land: Land, count: int, span: tuple[float, float], seed: int) -> None:
    """Hedges and copses on the hills between the two distances of `span`."""
    rng = np.random.default_rng([seed, 65])
    size = max(48, min(260, round(17.0 * stage.view.f / span[0])))
    kinds = [tree(k, stage.light, size, seed + i) for i, k in enumerate((OAK, OAK, POPLAR, BUSH, OAK, BUSH))]
    y = np.sort(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]), count)))[::-1].astype(np.float32)
    x = (rng.uniform(-0.54, 0.54, count) / stage.view.focal).astype(np.float32) * y
    z = land.lookup(land.height, x[None], y[None])[0]
    _, hedge = _fields(x[None], y[None], seed)
    copse = sample(tile(256, 8, 4, 0.6, seed + 66), x[None], y[None], 4200.0)[0]
    for k in np.flatnonzero((hedge[0] > 0.3) | (copse > 0.85)):
        pick = int(rng.integers(6))
        tall = float(rng.uniform(7.0, 17.0)) * (0.35 if pick in (3, 5) else 1.0)
        foot = (float(x[k]), float(y[k]), float(z[k]) - 0.4)
        stage.plant(
            kinds[pick],
            foot,
            tall,
            float(rng.uniform(0.7, 1.0)),
            float(rng.uniform(0.75, 1.2)),
            bool(rng.random() < 0.5),
        )
