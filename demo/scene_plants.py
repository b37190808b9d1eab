"""Trees, bushes and grass, grown in three dimensions and drawn leaf by leaf."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from demo.scene_noise import F32, f32
from demo.scene_sky import Light
from demo.scene_stage import Easel, Sprite


@dataclass(frozen=True)
class Habit:
    """How a kind of plant grows; lengths in heights of the plant."""

    clumps: int
    leaves: int
    leaf: float
    crown: tuple[float, float, float]  # radius across, centre height, radius upwards
    cone: bool
    trunk: float
    green: tuple[float, float, float]


OAK = Habit(130, 52000, 0.0040, (0.42, 0.57, 0.40), False, 0.028, (0.065, 0.115, 0.018))
POPLAR = Habit(150, 26000, 0.0038, (0.16, 0.53, 0.46), False, 0.016, (0.070, 0.120, 0.022))
BUSH = Habit(45, 7000, 0.014, (0.75, 0.45, 0.48), False, 0.0, (0.060, 0.105, 0.018))
SPRUCE = Habit(420, 22000, 0.0065, (0.20, 0.5, 0.5), True, 0.012, (0.026, 0.050, 0.018))


def _clumps(habit: Habit, rng: np.random.Generator) -> tuple[F32, F32]:
    """Centres (n, 3) and radii (n,) of the leaf clumps; x right, y away, z up."""
    across, middle, upward = habit.crown
    if habit.cone:
        z = 0.05 + 0.94 * rng.random(habit.clumps) ** 1.25
        whorl = 0.7 + 0.3 * np.cos(z * 95.0) + rng.normal(0, 0.1, habit.clumps)
        reach = (
            across
            * (1.0 - z) ** 0.85
            * np.clip(whorl, 0.3, 1.1)
            * np.sqrt(rng.random(habit.clumps) * 0.8 + 0.2)
        )
        angle = rng.random(habit.clumps) * 2 * np.pi
        radius = 0.012 + 0.045 * (1.0 - z)
        centres = np.stack([reach * np.cos(angle), reach * np.sin(angle), z - 0.12 * reach], 1)
        return centres.astype(np.float32), radius.astype(np.float32)
    # a few boughs, each with its own ball of leaves, make the outline uneven
    boughs = 7 + int(rng.integers(4))
    turn = rng.random() * 7 + np.arange(boughs) * 2.4
    level = np.linspace(-0.75, 0.72, boughs) + rng.normal(0, 0.08, boughs)
    wide = np.sqrt(np.clip(1.0 - level**2, 0.05, 1.0)) * rng.uniform(0.38, 0.72, boughs)
    hearts = np.stack([np.cos(turn) * wide, np.sin(turn) * wide, level], 1)
    sizes = rng.uniform(0.30, 0.50, boughs)
    pick = rng.choice(boughs, habit.clumps, p=sizes**2 / np.sum(sizes**2))
    direction = rng.standard_normal((habit.clumps, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    inside = hearts[pick] + direction * (sizes[pick, None] * rng.random((habit.clumps, 1)) ** 0.45)
    centres = inside * np.array([across, across, upward]) + np.array([0, 0, middle])
    radius = across * rng.uniform(0.09, 0.21, habit.clumps)
    over = (centres[:, 2] + radius).max() - 0.985
    centres[:, 2] -= max(0.0, over) * (centres[:, 2] / centres[:, 2].max()) ** 2
    return centres.astype(np.float32), radius.astype(np.float32)


def _through(points: F32, toward: F32, centres: F32, radii: F32) -> F32:
    """How much leaf (in heights) lies between each point and the light in direction `toward`, (n,)."""
    total = np.empty(len(points), np.float32)
    for start in range(0, len(points), 1024):  # a block stays in the cache
        block = points[start : start + 1024]
        ahead = (block @ toward)[:, None] - (centres @ toward)[None, :]  # (1024, clumps)
        apart = (
            np.square(block).sum(1)[:, None] + np.square(centres).sum(1)[None, :] - 2.0 * block @ centres.T
        )
        half = np.sqrt(np.maximum(np.square(radii)[None, :] - apart + np.square(ahead), 0.0))
        total[start : start + 1024] = np.minimum(np.maximum(half - ahead, 0.0), 2.0 * half).sum(1)
    return total


def _limbs(easel: Easel, habit: Habit, centres: F32, rng: np.random.Generator, facing: float) -> None:
    """Trunk and curved branches in tapered pieces, each in strips that are lit from one side."""
    base, top = habit.trunk, habit.crown[1] + (0.3 if habit.cone else 0.05)
    rod = np.linspace(0.0, 1.0, 7)
    sway = rng.normal(0, 0.012)
    paths = [np.stack([sway * np.sin(rod * 4.0), top * rod], 1)]
    widths = [base * (1.0 - 0.7 * rod) + base * 0.9 * np.exp(-rod * 22.0)]
    for centre in centres[:: max(1, len(centres) // 16)]:
        reach = float(centre[0])
        foot = float(np.clip(centre[2] - 0.9 * abs(reach) - 0.1 * rng.random(), 0.2, top * 0.9))
        bend = np.stack([reach * rod**1.3, foot + (float(centre[2]) - foot) * rod**0.8], 1)
        paths.append(bend + rng.normal(0, 0.004, bend.shape) * rod[:, None])
        widths.append(base * 0.42 * (1.1 - foot) * (1.0 - 0.8 * rod))
    shapes, tones = [], []
    for path, width in zip(paths, widths, strict=True):
        side = np.gradient(path, axis=0)[:, ::-1] * [1.0, -1.0]
        side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-6
        for k in range(len(rod) - 1):
            for strip in range(6):
                low, high = strip / 3 - 1, (strip + 1) / 3 - 1
                near, far = side[k] * width[k], side[k + 1] * width[k + 1]
                a, b = path[k], path[k + 1]
                shapes.append([a + near * low, a + near * high, b + far * high, b + far * low])
                tones.append(
                    (0.12 + 0.5 * np.clip(0.5 + facing * (low + 0.17), 0, 1)) * rng.uniform(0.75, 1.25)
                )
    bark = np.array([0.10, 0.085, 0.068]) * rng.uniform(0.75, 1.25, (len(shapes), 1))
    sun = f32(tones) * 0.8
    easel.polygons(f32(shapes), f32(bark), sun, sun * 0 + 0.40)


def tree(habit: Habit, light: Light, height: int, seed: int) -> Sprite:
    """One plant of a kind in this light, `height` pixels tall."""
    rng = np.random.default_rng([seed, 5])
    centres, radii = _clumps(habit, rng)
    # a small drawing cannot show every leaf
    detail = min(1.6, height / 700)
    leaves = round(habit.leaves * detail)
    pick = rng.choice(len(centres), leaves, p=radii**2 / np.sum(radii**2))
    normal = rng.standard_normal((leaves, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    spread = np.array([1.25, 1.25, 0.5 if habit.cone else 0.85], np.float32)
    points = centres[pick] + normal * spread * radii[pick, None] * (
        0.55 + 0.5 * rng.random((leaves, 1), np.float32)
    )
    order = np.argsort(-points[:, 1])
    points, normal, pick = points[order], normal[order], pick[order]
    heart = points - np.array([0, 0, points[:, 2].mean()], np.float32) * np.array([1, 1, 1], np.float32)
    heart /= np.linalg.norm(heart, axis=1, keepdims=True) + 1e-6
    facing = (0.6 * normal + 0.55 * heart) @ light.sun
    direct = np.exp(-9.0 * _through(points, light.sun, centres, radii))
    open_sky = np.exp(-3.2 * _through(points, np.array([0, -0.45, 0.89], np.float32), centres, radii))
    sun = direct * (0.12 + 0.88 * np.clip(facing, 0, 1)) + 0.10 * direct
    clump_tone = rng.uniform(0.82, 1.18, len(centres))[pick]
    tone = clump_tone * rng.normal(1.0, 0.16, leaves)
    warm = rng.normal(0, 0.08, leaves) + rng.normal(0, 0.05, len(centres))[pick]
    green = np.array(habit.green) * tone[:, None] * (1.0 + warm[:, None] * np.array([1.6, 0.5, -0.6]))
    green = green + 0.045 * np.maximum(normal[:, 2:], 0) * (tone[:, None] > 0)  # the gloss of the upper side
    easel = Easel(height, 2.3 * habit.crown[0] + 0.06)
    if habit.trunk:
        _limbs(easel, habit, centres, rng, float(light.sun[0]))
    corners = _leaf_shapes(points, normal, habit, height, rng)
    easel.polygons(corners, green.astype(np.float32), sun, 0.10 + 0.90 * open_sky)
    return easel.sprite()


def _leaf_shapes(points: F32, normal: F32, habit: Habit, height: int, rng: np.random.Generator) -> F32:
    """Each leaf as a rhombus, (n, 4, 2); twigs of a conifer hang outwards."""
    n = len(points)
    angle = rng.random(n) * 2 * np.pi
    if habit.cone:
        angle = -0.35 + rng.normal(0, 0.5, n) + np.where(points[:, 0] > 0, 0.0, np.pi + 0.7)
    size = habit.leaf * (max(1.0, height / 700) ** -0.5)
    length = np.maximum(size * rng.uniform(0.7, 1.4, n), 0.9 / height)
    thin = (0.30 if habit.cone else 0.35 + 0.45 * np.abs(normal[:, 1])) * length
    thin = np.maximum(thin, 0.5 / height)
    along = np.stack([np.cos(angle), np.sin(angle)], 1)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    middle = points[:, [0, 2]]
    ends = [along * length[:, None], across * thin[:, None]]
    return np.stack([middle + ends[0], middle + ends[1], middle - ends[0], middle - ends[1]], 1).astype(
        np.float32
    )


def tuft(
    light: Light, height: int, seed: int, blades: int = 70, dry: float = 0.15, petals: F32 | None = None
) -> Sprite:
    """A tuft of meadow grass: bent blades, dark at the foot; some end in flowers of the colour `petals`."""
    rng = np.random.default_rng([seed, 6])
    easel = Easel(height, 1.6)
    foot = rng.uniform(-0.62, 0.62, blades)
    tall = rng.uniform(0.35, 0.97, blades) * (1.0 - 0.35 * np.abs(foot))
    bend = rng.normal(0, 0.16, blades)
    wide = rng.uniform(0.004, 0.011, blades)
    rise = 0.10 * np.square(foot) + rng.uniform(0.0, 0.10, blades)  # no straight lower edge
    straw = (rng.random(blades) < dry)[:, None]
    base = np.where(straw, [0.26, 0.22, 0.09], [0.095, 0.155, 0.026]) * rng.uniform(0.7, 1.3, (blades, 1))
    turn = np.clip(rng.normal(0.55, 0.25, blades), 0.15, 1.0)
    knots = np.linspace(0, 1, 6)
    for low, high in pairwise(knots):
        left = [foot + bend * low**2 - wide * (1.05 - low), rise + (tall - rise) * low]
        right = [foot + bend * low**2 + wide * (1.05 - low), rise + (tall - rise) * low]
        far_right = [foot + bend * high**2 + wide * (1.05 - high), rise + (tall - rise) * high]
        far_left = [foot + bend * high**2 - wide * (1.05 - high), rise + (tall - rise) * high]
        corners = np.stack([np.stack(p, 1) for p in (left, right, far_right, far_left)], 1)
        open_up = (low * tall) / 0.8
        sky = 0.2 + 0.8 * open_up
        easel.polygons(
            corners.astype(np.float32), base.astype(np.float32), turn * (0.12 + 0.88 * open_up), sky
        )
    if petals is not None:
        _flowers(easel, f32(np.stack([foot + bend, tall], 1)[: blades // 7]), petals, rng)
    return easel.sprite()


def _flowers(easel: Easel, places: F32, petals: F32, rng: np.random.Generator) -> None:
    """Round heads of five petals at the tips of some blades."""
    for place in places:
        size = rng.uniform(0.012, 0.026)
        angles = rng.uniform(0, 7) + np.arange(5) * 2 * np.pi / 5
        arc = np.linspace(0, 2 * np.pi, 8)[:-1]
        disc = np.stack([np.cos(arc), 0.6 * np.sin(arc)], 1) * size * 0.62
        centres = place + np.stack([np.cos(angles), 0.55 * np.sin(angles)], 1) * size * 0.6
        shapes = np.r_[centres[:, None] + disc[None], [place + disc * 0.45]].astype(np.float32)
        paint = np.r_[petals * rng.uniform(0.7, 1.1, (5, 1)), [[0.35, 0.24, 0.03]]].astype(np.float32)
        glow = np.full(6, rng.uniform(0.6, 1.0), np.float32)
        easel.polygons(shapes, paint, glow, glow)
