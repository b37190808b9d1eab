"""Houses, towers and spires, put together from flat sides."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from demo.scene_faces import Paint, Point, face
from demo.scene_noise import F32
from demo.scene_stage import Stage
from demo.scene_walls import Style, curtain, facade, gable, plain, tiles

Tone = tuple[float, float, float]


@dataclass(frozen=True)
class Body:
    """A box: foot of its middle, turn in radians, width (along its own x), depth, height of the walls."""

    x: float
    y: float
    z: float
    turn: float
    width: float
    depth: float
    tall: float

    def point(self, right: float, back: float, up: float) -> Point:
        """A point of the body's own axes (metres from the middle of its foot) in the world."""
        c, s = float(np.cos(self.turn)), float(np.sin(self.turn))
        return (self.x + c * right - s * back, self.y + s * right + c * back, self.z + up)

    def corners(self, ridge: float = 0.0) -> F32:
        """The corners of the walls and, with a ridge height, of the roof, (n, 3)."""
        w, d = self.width / 2, self.depth / 2
        foot = [(r, b, u) for r in (-w, w) for b in (-d, d) for u in (0.0, self.tall)]
        top = [(-w, 0.0, ridge), (w, 0.0, ridge)] if ridge else []
        return np.array([self.point(*p) for p in foot + top], np.float32)


def _walls(body: Body, grow: float = 0.0) -> list[tuple[float, float, float, float]]:
    """The edges of the foot as (right, back, right, back), each from left to right as seen from outside."""
    w, d = body.width / 2 + grow, body.depth / 2 + grow
    return [(-w, -d, w, -d), (w, -d, w, d), (w, d, -w, d), (-w, d, -w, -d)]


def box(stage: Stage, body: Body, paint: Paint, top: Tone, seed: int) -> None:
    """Four painted walls and a flat top."""
    h = body.tall
    for k, (r0, b0, r1, b1) in enumerate(_walls(body)):
        corners = [body.point(r0, b0, h), body.point(r1, b1, h), body.point(r1, b1, 0), body.point(r0, b0, 0)]
        face(stage, corners, paint, seed + k)
    w, d = body.width / 2, body.depth / 2
    lid = [body.point(-w, d, h), body.point(w, d, h), body.point(w, -d, h), body.point(-w, -d, h)]
    face(stage, lid, partial(plain, tone=top), seed)


def tower(stage: Stage, body: Body, tone: Tone, glass: float, seed: int) -> None:
    """An office block."""
    box(stage, body, partial(curtain, tone=tone, glass=glass), (0.20, 0.20, 0.20), seed)


def steeple(stage: Stage, body: Body, peak: float, style: Style, roof: Tone, seed: int) -> None:
    """A church tower: four walls and a pointed roof up to `peak` metres."""
    box(stage, body, partial(facade, style=style), roof, seed)
    for k, (r0, b0, r1, b1) in enumerate(_walls(body, 0.4)):
        half = ((r1 - r0) / 2, (b1 - b0) / 2)
        top = [body.point(-half[0], -half[1], peak), body.point(half[0], half[1], peak)]
        low = [body.point(r1, b1, body.tall - 0.3), body.point(r0, b0, body.tall - 0.3)]
        face(stage, top + low, partial(gable, style=None, eave=0.0, tone=roof), seed + k)


def house(stage: Stage, body: Body, ridge: float, style: Style, roof: Tone, seed: int) -> None:
    """A house with a chimney and a tiled roof, its ridge along its own x, `ridge` metres up."""
    h = body.tall
    for k, (r0, b0, r1, b1) in enumerate(_walls(body)):
        up = h if k % 2 == 0 else ridge
        corners = [
            body.point(r0, b0, up),
            body.point(r1, b1, up),
            body.point(r1, b1, 0),
            body.point(r0, b0, 0),
        ]
        paint = partial(facade, style=style) if k % 2 == 0 else partial(gable, style=style, eave=h, tone=roof)
        face(stage, corners, paint, seed + k)
    for sign in (-1, 1):
        _slope(stage, body, ridge, roof, sign, seed)
    rng = np.random.default_rng([seed, 84])
    along = float(rng.uniform(-0.3, 0.3)) * body.width
    x, y, _ = body.point(along, -0.11 * body.depth, 0.0)
    foot = ridge - (ridge - h) * 0.5
    stack = Body(x, y, body.z + foot, body.turn, 0.80, 0.60, ridge + 0.8 - foot)
    box(stage, stack, partial(plain, tone=(0.22, 0.12, 0.09)), (0.05, 0.05, 0.05), seed)
    cap = Body(x, y, body.z + ridge + 0.8, body.turn, 0.98, 0.78, 0.14)
    box(stage, cap, partial(plain, tone=(0.20, 0.19, 0.18)), (0.12, 0.12, 0.12), seed)


def _slope(stage: Stage, body: Body, ridge: float, roof: Tone, sign: int, seed: int) -> None:
    """One side of the roof: tiles, gutter, soffit, and the boards along the verge."""
    w, d, h, out = sign * (body.width / 2 + 0.30), sign * body.depth / 2, body.tall, sign * 0.45
    low = h - 0.45 * (ridge - h) / (body.depth / 2)
    top = [body.point(w, 0.0, ridge + 0.12), body.point(-w, 0.0, ridge + 0.12)]
    edge = [body.point(-w, d + out, low + 0.12), body.point(w, d + out, low + 0.12)]
    under = [body.point(-w, d + out, low - 0.06), body.point(w, d + out, low - 0.06)]
    wall = [body.point(-w, d, h - 0.02), body.point(w, d, h - 0.02)]
    face(stage, [top[0], top[1], edge[0], edge[1]], partial(tiles, tone=roof), seed + sign + 1)
    face(stage, [under[1], under[0], wall[0], wall[1]], partial(plain, tone=(0.20, 0.16, 0.12)), seed)
    face(stage, [edge[1], edge[0], under[0], under[1]], partial(plain, tone=(0.13, 0.115, 0.10)), seed)
    board = partial(plain, tone=(0.20, 0.15, 0.11))
    left = [body.point(w, 0.0, ridge - 0.08), body.point(w, d + out, low - 0.08)]
    face(stage, [edge[1], top[0], left[0], left[1]], board, seed)
    right = [body.point(-w, 0.0, ridge - 0.08), body.point(-w, d + out, low - 0.08)]
    face(stage, [top[1], edge[0], right[1], right[0]], board, seed)
