"""The camera: where a world point lands in the picture, and what each pixel of a landscape looks at.

Convention: metres; x to the right, y away from the camera, z up. The camera stands at (0, 0, eye) and looks
level along y; the horizon lies at the fraction `horizon` of the height.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from demo.scene_noise import F32


@dataclass(frozen=True)
class View:
    """A pinhole camera: size in pixels, focal length in picture widths, eye height in metres."""

    width: int
    height: int
    focal: float
    horizon: float
    eye: float

    @property
    def f(self) -> float:
        """The focal length in pixels."""
        return self.focal * self.width

    @property
    def rows(self) -> F32:
        """The elevation (slope, up positive) of each pixel row, shape (H,)."""
        v = np.arange(self.height, dtype=np.float32) + 0.5
        return np.asarray((self.horizon * self.height - v) / self.f, np.float32)

    @property
    def columns(self) -> F32:
        """The slope x / y of each pixel column, shape (W,)."""
        u = np.arange(self.width, dtype=np.float32) + 0.5
        return np.asarray((u - 0.5 * self.width) / self.f, np.float32)

    def project(self, points: F32) -> F32:
        """World points (n, 3) with y > 0 to pixel positions (n, 2)."""
        u = 0.5 * self.width + self.f * points[:, 0] / points[:, 1]
        v = self.horizon * self.height - self.f * (points[:, 2] - self.eye) / points[:, 1]
        return np.stack([u, v], 1).astype(np.float32)


@dataclass(frozen=True)
class Land:
    """A square height map in metres, `size` metres wide, centred on x = 0, starting at y = near."""

    height: F32
    size: float
    near: float

    @property
    def pitch(self) -> float:
        """Metres per map pixel."""
        return float(self.size / self.height.shape[0])

    def lookup(self, field: F32, x: F32, y: F32) -> F32:
        """A field on the map's grid, (N, N) or (N, N, 3), at world positions."""
        u = (x + np.float32(0.5 * self.size)) / np.float32(self.pitch)
        v = (y - np.float32(self.near)) / np.float32(self.pitch)
        return np.asarray(
            cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.float32
        )


@dataclass(frozen=True)
class Hits:
    """What every pixel sees of the land: positions (H, W) in metres and coverage (0 is sky)."""

    x: F32
    y: F32
    cover: F32

    def rows(self, lowest: int) -> slice:
        """The picture rows from the highest one that sees land down to `lowest`."""
        return slice(int(np.argmax(self.cover.max(axis=1) > 0)), lowest)

    def cut(self, rows: slice) -> "Hits":
        """The hits of some rows only."""
        return Hits(self.x[rows], self.y[rows], self.cover[rows])


def trace(view: View, land: Land, near: float, far: float, steps: int = 1200) -> Hits:
    """March all pixel columns over the height map from near to far (geometric steps, nearest wins)."""
    depth = np.geomspace(near, far, steps).astype(np.float32)[:, None]
    x = depth * view.columns[None, :]
    y = np.broadcast_to(depth, x.shape).copy()
    slope = (land.lookup(land.height, x, y) - np.float32(view.eye)) / depth
    top = np.maximum.accumulate(slope, axis=0)
    rows = view.rows
    log_depth = np.log(depth[:, 0])
    found = np.empty((view.width, view.height), np.float32)
    for column in range(view.width):
        found[column] = np.interp(rows, top[:, column], log_depth)
    y = np.ascontiguousarray(np.exp(found.T))
    cover = np.clip((top[-1][None, :] - rows[:, None]) * np.float32(view.f) + 0.5, 0.0, 1.0)
    return Hits(y * view.columns[None, :], y, np.asarray(cover, np.float32))


def shadow(land: Land, sun: F32, softness: float) -> F32:
    """How much sun reaches each point of the map, 0..1; `sun` points to the sun, `softness` in metres."""
    flat = float(np.hypot(sun[0], sun[1]))
    drop = float(sun[2]) / flat
    blocker = land.height
    step = 1.0
    side = land.height.shape[0]
    shaded = np.full_like(blocker, -1e9)
    while step < side / 3:
        dx, dy = float(sun[0]) / flat * step, float(sun[1]) / flat * step
        # the blocker seen from a point lies `step` map pixels towards the sun
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shaded_far = cv2.warpAffine(
            np.maximum(shaded, blocker), move, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        shaded = np.maximum(shaded, shaded_far - np.float32(drop * step * land.pitch))
        step *= 1.6 if step > 1 else 2.0
    lit = 1.0 - (shaded - land.height) / np.float32(softness)
    return np.asarray(np.clip(lit, 0.0, 1.0), np.float32)


def normals(land: Land) -> F32:
    """Unit normals of the height map, (N, N, 3)."""
    gx = cv2.Sobel(land.height, cv2.CV_32F, 1, 0, scale=1 / (8 * land.pitch))
    gy = cv2.Sobel(land.height, cv2.CV_32F, 0, 1, scale=1 / (8 * land.pitch))
    n = np.stack([-gx, -gy, np.ones_like(gx)], 2)
    return np.asarray(n / np.linalg.norm(n, axis=2, keepdims=True), np.float32)
