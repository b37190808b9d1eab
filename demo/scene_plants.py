"""Trees, bushes and grass: drawn leaf by leaf once as sprites, then set into the scene by the hundred."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.scene_noise import F32, f32
from demo.scene_sky import Light
from demo.scene_view import View

BRIGHTEST = 0.5  # the albedo that 255 stands for while a sprite is drawn


@dataclass(frozen=True)
class Sprite:
    """A plant: what it sends back of sun and skylight, (H, W, 3) times coverage, and the coverage (H, W).

    The foot is at the middle of the bottom edge.
    """

    sun: F32
    sky: F32
    cover: F32

    def scaled(self, height: int, flip: bool) -> "Sprite":
        """The sprite at another height in pixels."""
        width = max(2, round(self.cover.shape[1] * height / self.cover.shape[0]))
        shrink = cv2.INTER_AREA if height < self.cover.shape[0] else cv2.INTER_LINEAR
        parts = [
            f32(cv2.resize(p, (width, height), interpolation=shrink))
            for p in (self.sun, self.sky, self.cover)
        ]
        return Sprite(*(np.ascontiguousarray(p[:, ::-1]) if flip else p for p in parts))


class Easel:
    """An 8-bit canvas for one sprite in units of its height: x from -aspect/2 to aspect/2, z from 0 to 1."""

    def __init__(self, height: int, aspect: float) -> None:
        self.size = height
        self.albedo = np.zeros((height, round(height * aspect), 4), np.uint8)
        self.light = np.zeros((*self.albedo.shape[:2], 3), np.uint8)

    def polygons(self, corners: F32, colours: F32, sun: F32, sky: F32) -> None:
        """Convex polygons (n, k, 2) in drawing order, albedos (n, 3), shares of sun and sky (n,) in 0..1."""
        half = 0.5 * self.albedo.shape[1]
        place = np.stack([half + corners[..., 0] * self.size, (1.0 - corners[..., 1]) * self.size], -1)
        fixed = np.round(place * 16).astype(np.int32)
        paint = np.clip(np.c_[colours / BRIGHTEST, np.ones(len(colours))] * 255, 0, 255).tolist()
        lights = np.clip(np.c_[sun, sky, np.zeros(len(sun))] * 255, 0, 255).tolist()
        for shape, pigment, glow in zip(fixed, paint, lights, strict=True):
            cv2.fillConvexPoly(self.albedo, shape, pigment, cv2.LINE_AA, 4)
            cv2.fillConvexPoly(self.light, shape, glow, cv2.LINE_AA, 4)

    def sprite(self) -> Sprite:
        """The finished drawing."""
        cover = self.albedo[..., 3].astype(np.float32) / 255
        solid = np.maximum(cover, 1e-3)[..., None]
        pigment = self.albedo[..., :3].astype(np.float32) * np.float32(BRIGHTEST / 255) / solid
        light = self.light.astype(np.float32) / 255
        return Sprite(f32(pigment * light[..., :1]), f32(pigment * light[..., 1:2]), f32(cover))


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
    ahead = (points @ toward)[:, None] - (centres @ toward)[None, :]  # (n, clumps)
    apart = np.square(points).sum(1)[:, None] + np.square(centres).sum(1)[None, :] - 2.0 * points @ centres.T
    half = np.sqrt(np.maximum(np.square(radii)[None, :] - apart + np.square(ahead), 0.0))
    return f32(np.minimum(np.maximum(half - ahead, 0.0), 2.0 * half).sum(1))


def _limbs(easel: Easel, habit: Habit, centres: F32, rng: np.random.Generator, facing: float) -> None:
    """Trunk and branches, as tapered polygons, darker away from the sun."""
    base, top = habit.trunk, habit.crown[1] + (0.3 if habit.cone else 0.1)
    limbs = [((0.0, 0.0, 0.0), (rng.normal(0, 0.01), 0.0, top), base, base * 0.25)]
    for centre in centres[:: max(1, len(centres) // 28)]:
        foot = max(0.12, float(centre[2]) - 0.9 * float(np.hypot(centre[0], centre[1])) - 0.08)
        limbs.append(((0.0, 0.0, foot), tuple(centre), base * 0.38 * (1.1 - foot), base * 0.08))
    shapes, tones = [], []
    for start, end, wide, thin in limbs:
        along = np.array([end[0] - start[0], end[2] - start[2]])
        side = np.array([along[1], -along[0]]) / (np.hypot(*along) + 1e-6)
        a, b = np.array([start[0], start[2]]), np.array([end[0], end[2]])
        for k in range(4):  # strips across the limb, lit from one side
            lo, hi = k / 2 - 1, (k + 1) / 2 - 1
            shapes.append(
                [a + side * wide * lo, a + side * wide * hi, b + side * thin * hi, b + side * thin * lo]
            )
            tones.append(0.15 + 0.6 * np.clip(0.5 + facing * (lo + 0.25), 0, 1))
    bark = np.array([0.11, 0.085, 0.06]) * rng.uniform(0.8, 1.2, (len(shapes), 1))
    sun = np.array(tones, np.float32)
    easel.polygons(np.array(shapes, np.float32), bark.astype(np.float32), sun * 0.7, sun * 0 + 0.45)


def tree(habit: Habit, light: Light, height: int, seed: int) -> Sprite:
    """One plant of a kind in this light, `height` pixels tall."""
    rng = np.random.default_rng([seed, 5])
    centres, radii = _clumps(habit, rng)
    # a small drawing cannot show every leaf
    leaves = round(habit.leaves * min(1.0, height / 700))
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
    length = np.maximum(habit.leaf * rng.uniform(0.7, 1.4, n), 0.9 / height)
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


@dataclass(frozen=True)
class Stage:
    """The picture in the making, changed in place: radiance (H, W, 3) and depth in metres (H, W)."""

    view: View
    light: Light
    radiance: F32
    depth: NDArray[np.float32]

    def plant(
        self,
        sprite: Sprite,
        foot: tuple[float, float, float],
        tall: float,
        lit: float = 1.0,
        tint: float = 1.0,
        flip: bool = False,
    ) -> None:
        """Set a plant `tall` metres high at the world position `foot`, behind whatever is nearer."""
        distance = foot[1]
        pixels = round(tall * self.view.f / distance)
        if pixels < 2:
            return
        part = sprite.scaled(pixels, flip)
        u, v = self.view.project(np.array([foot], np.float32))[0]
        height, width = part.cover.shape
        left, top = round(float(u) - width / 2), round(float(v)) - height
        x0, x1 = max(left, 0), min(left + width, self.view.width)
        y0, y1 = max(top, 0), min(top + height, self.view.height)
        if x0 >= x1 or y0 >= y1:
            return
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        here = (slice(y0, y1), slice(x0, x1))
        front = part.cover[inside] * (self.depth[here] > distance * 0.985 - tall * 0.5)
        glow = (
            part.sun[inside] * (self.light.direct * np.float32(lit)) + part.sky[inside] * self.light.ambient
        )
        # premultiplied by coverage, so the hazed air has to be as well
        left = self.light.left(distance)
        glow = (
            glow * (left * np.float32(tint)) + (self.light.air * (1.0 - left)) * part.cover[inside][..., None]
        )
        seen = front / np.maximum(part.cover[inside], 1e-4)
        self.radiance[here] += glow * seen[..., None] - self.radiance[here] * front[..., None]
        self.depth[here] = np.where(front > 0.5, np.float32(distance), self.depth[here])
