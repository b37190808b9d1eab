"""The city: a skyline of towers behind a river quay, and a narrow street of old houses."""

from functools import partial

import numpy as np

from demo.scene_houses import Body, Tone, box, tower
from demo.scene_noise import F32, blend, colour, ramp, sample, tile
from demo.scene_plants import BUSH, OAK, POPLAR, tree
from demo.scene_shade import Ground
from demo.scene_sky import Light
from demo.scene_stage import Stage
from demo.scene_view import View
from demo.scene_village import PLASTER, ROOF, SHUTTER, Plot
from demo.scene_walls import Style, facade, plain

STONE: list[Tone] = [
    (0.34, 0.31, 0.27),
    (0.28, 0.27, 0.26),
    (0.42, 0.38, 0.32),
    (0.20, 0.17, 0.15),
    (0.30, 0.20, 0.15),
]
GLASS: list[Tone] = [(0.10, 0.12, 0.14), (0.16, 0.17, 0.18), (0.30, 0.30, 0.30), (0.07, 0.09, 0.10)]


def towers(stage: Stage, count: int, seed: int) -> None:
    """Towers of glass and stone, 800 to 3500 m away, tallest in the middle."""
    rng = np.random.default_rng([seed, 100])
    depth = np.sort(np.exp(rng.uniform(np.log(800.0), np.log(3600.0), count)))[::-1]
    for k, y in enumerate(depth.tolist()):
        x = float(rng.uniform(-0.56, 0.56)) / stage.view.focal * y
        centre = float(np.exp(-(((x / y * stage.view.focal + 0.10) / 0.20) ** 2)))
        tall = (
            float(rng.gamma(2.2, 22.0))
            + 28.0
            + 150.0 * centre * float(rng.random() ** 1.3) * min(1.0, y / 1400.0)
        )
        wide, deep = float(rng.uniform(24, 52)), float(rng.uniform(24, 46))
        modern = tall > 85 or rng.random() < 0.4
        tones = GLASS if modern else STONE
        tone = tones[int(rng.integers(len(tones)))]
        body = Body(x, y, 0.0, float(rng.normal(0.25, 0.25)), wide, deep, tall)
        mirror = float(rng.uniform(0.25, 0.7)) if modern else 0.12
        tower(stage, body, tone, mirror, seed + 11 * k)
        crown = Body(x, y, tall, body.turn, wide * 0.55, deep * 0.5, float(rng.uniform(3, 9)))
        box(
            stage,
            crown,
            partial(plain, tone=(0.22, 0.22, 0.22)),
            (0.2, 0.2, 0.2),
            seed + k,
        )
        if tall > 150 and rng.random() < 0.6:
            mast = Body(x, y, tall, 0.0, 1.4, 1.4, tall * 0.22)
            box(
                stage,
                mast,
                partial(plain, tone=(0.3, 0.3, 0.3)),
                (0.2, 0.2, 0.2),
                seed + k,
            )


def waterfront(stage: Stage, seed: int) -> None:
    """A row of old blocks, the quay wall and its trees, 620 to 700 m away."""
    rng = np.random.default_rng([seed, 101])
    y, x = 690.0, -460.0
    while x < 460.0:
        wide, tall = float(rng.uniform(18, 42)), float(rng.uniform(14, 30))
        style = Style(
            STONE[int(rng.integers(3))], 3.4, float(rng.uniform(2.6, 3.4)), (1.4, 1.9), None, 0.4, 3.0
        )
        body = Body(
            x + wide / 2, y + float(rng.uniform(0, 25)), 0.0, float(rng.normal(0, 0.02)), wide, 22.0, tall
        )
        box(
            stage,
            body,
            partial(facade, style=style),
            (0.16, 0.13, 0.12),
            seed + round(x),
        )
        x += wide + float(rng.choice([0.3, 0.3, 9.0]))
    quay = Body(0.0, 640.0, 0.0, 0.0, 1400.0, 8.0, 3.6)
    box(
        stage,
        quay,
        partial(plain, tone=(0.24, 0.22, 0.19)),
        (0.3, 0.28, 0.25),
        seed,
    )
    size = max(24, min(200, round(15.0 * stage.view.f / 641.0)))
    kinds = [tree(kind, stage.light, size, seed + 110 + i) for i, kind in enumerate((OAK, OAK, POPLAR, OAK))]
    for x in np.arange(-440.0, 440.0, 8.5).tolist():
        if rng.random() < 0.82:
            tall = float(rng.uniform(8.0, 14.5))
            place = (x + float(rng.normal(0, 1.2)), 641.0, 3.2)
            stage.plant(
                kinds[int(rng.integers(4))],
                place,
                tall,
                float(rng.uniform(0.7, 1.0)),
                float(rng.uniform(0.7, 1.1)),
            )


def terrace(seed: int) -> list[Plot]:
    """Old houses wall to wall along both sides of a street that leads away from the camera."""
    rng = np.random.default_rng([seed, 102])
    plots = []
    for side in (-1.0, 1.0):
        y = 1.5
        k = 0
        while y < 120.0:
            wide = float(rng.uniform(7.0, 11.5))
            tall = float(rng.choice([8.9, 11.7, 11.9, 12.1]))
            shut = SHUTTER[int(rng.integers(5))]
            style = Style(
                PLASTER[int(rng.integers(5))],
                2.9,
                float(rng.uniform(2.0, 2.7)),
                (1.0, 1.65),
                shut,
                0.6,
                0.7,
                True,
            )
            bend = 0.0006 * y * y
            body = Body(side * 8.4 + bend, y + wide / 2, 0.0, side * -np.pi / 2, wide, 8.4, tall)
            ridge = tall + float(rng.uniform(2.8, 4.2))
            plots.append(
                Plot(body, ridge, style, ROOF[int(rng.integers(4))], seed + 300 + 13 * k + int(side))
            )
            y += wide
            k += 1
    return sorted(plots, key=lambda plot: -plot.body.y)


def paving(view: View, light: Light, shade: Ground, seed: int) -> tuple[F32, F32]:
    """(radiance (H, W, 3), distance (H, W)) of cobbles and flagstones; far where there is sky."""
    grit = tile(1024, 8, 7, 0.8, seed + 103)
    y = np.asarray(np.float32(view.eye) / np.maximum(-view.rows, 1e-4), np.float32)[:, None] * np.ones(
        (1, view.width), np.float32
    )
    x = y * view.columns[None, :]
    middle = x - 0.0006 * y * y
    wave = tile(256, 8, 3, 0.5, seed + 105)
    wobble = 0.006 * sample(wave, x, y, 2.0), 0.006 * sample(wave, y, x, 2.0)
    stone, joint = _stones(middle + wobble[0], y + wobble[1], 0.13)
    flag, gap = _stones(middle, y, 0.62)
    walk = ramp(np.abs(middle), 2.55, 2.60)
    shape = stone + (flag - stone) * walk
    seams = joint + (gap - joint) * walk
    seen = ramp(y, 28.0, 6.0)
    value = (
        (0.80 + 0.40 * shape)
        * (1.0 - 0.55 * seams * seen)
        * (1.0 + 0.09 * sample(grit, x, y, 2.0) + 0.11 * sample(grit, x, y, 14.0))
    )
    albedo = blend(np.broadcast_to(colour(0.20, 0.185, 0.17), (*y.shape, 3)), colour(0.30, 0.28, 0.25), walk)
    kerb = ramp(np.abs(np.abs(middle) - 2.6), 0.09, 0.05)
    value = value * (1.0 - 0.35 * kerb)
    facing = np.full(y.shape, light.sun[2], np.float32) * (1.0 + 0.30 * (stone - 0.5) * seen * (1 - walk))
    radiance = np.asarray(albedo * value[..., None], np.float32) * light.shade(
        facing, shade.lit(x, y, 0.12), 0.75
    )
    return np.asarray(radiance, np.float32), np.where(view.rows[:, None] < -1e-3, y, np.float32(1e6))


def _stones(x: F32, y: F32, size: float) -> tuple[F32, F32]:
    """(a value for each stone 0..1, joint mask) of staggered paving, stones `size` metres wide."""
    v = y / np.float32(size * 1.0)
    u = x / np.float32(size) + 0.5 * np.mod(np.floor(v), 2.0)
    each = np.mod(np.sin(np.floor(u) * 12.9898 + np.floor(v) * 78.233) * 43758.5453, 1.0)
    edge = np.minimum(0.5 - np.abs(np.mod(u, 1.0) - 0.5), 0.5 - np.abs(np.mod(v, 1.0) - 0.5))
    return np.asarray(each, np.float32), ramp(np.asarray(edge, np.float32), 0.14, 0.03)


def pots(stage: Stage, seed: int) -> None:
    """Shrubs in terracotta along the walls."""
    rng = np.random.default_rng([seed, 104])
    size = max(48, min(420, round(1.4 * stage.view.f / 8.0)))
    kinds = [tree(BUSH, stage.light, size, seed + 120 + k) for k in range(3)]
    clay = partial(plain, tone=(0.30, 0.13, 0.08))
    for y in np.sort(rng.uniform(6.0, 60.0, 24))[::-1].tolist():
        x = (1.0 if rng.random() < 0.5 else -1.0) * 3.75 + 0.0006 * y * y
        box(stage, Body(x, y, 0.0, 0.0, 0.42, 0.42, 0.45), clay, (0.05, 0.04, 0.03), seed)
        sunny = 0.25 if x > 0 else 0.95
        stage.plant(kinds[int(rng.integers(3))], (x, y - 0.05, 0.36), float(rng.uniform(0.7, 1.5)), sunny)
