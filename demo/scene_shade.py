"""Shadows that houses and trees throw on level ground, as a map seen from above."""

from dataclasses import dataclass

import cv2
import numpy as np

from demo.scene_noise import F32

SIDE = 2048


@dataclass(frozen=True)
class Ground:
    """A square of ground seen from above: `shade` (SIDE, SIDE) uint8, 255 in full shadow; drawn in place."""

    shade: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    size: float
    near: float
    sun: F32

    def _pixels(self, points: F32) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """World points (n, 3), thrown along the sunlight to z = 0, in 1/16 map pixels."""
        thrown = points[:, :2] - points[:, 2:] * self.sun[:2] / self.sun[2]
        place = (thrown - np.array([-0.5 * self.size, self.near])) * (SIDE / self.size)
        fixed: np.ndarray[tuple[int, ...], np.dtype[np.int32]] = np.round(place * 16).astype(np.int32)
        return fixed

    def block(self, corners: F32) -> None:
        """The shadow of the convex body with these corners (n, 3)."""
        hull = cv2.convexHull(self._pixels(corners))
        cv2.fillConvexPoly(self.shade, hull, 255, cv2.LINE_AA, 4)

    def crown(self, foot: tuple[float, float, float], tall: float, wide: float, seed: int) -> None:
        """The dappled shadow of a tree: a cloud of leaf clumps over the foot."""
        rng = np.random.default_rng([seed, 50])
        clumps = rng.standard_normal((70, 3)) * np.array([wide, wide, tall * 0.3]) * 0.36
        points = clumps + np.array([foot[0], foot[1], foot[2] + tall * 0.55])
        points[:, 2] = np.clip(points[:, 2] - foot[2], 0.0, None)
        radius = max(1, round(wide * 0.13 * SIDE / self.size * 16))
        for u, v in self._pixels(points.astype(np.float32)).tolist():
            cv2.circle(self.shade, (u, v), radius, 235, -1, cv2.LINE_AA, 4)

    def lit(self, x: F32, y: F32, softness: float = 0.25) -> F32:
        """How much sun reaches the ground at x, y: 0 in shadow, 1 outside the map or in the open."""
        blurred = cv2.GaussianBlur(self.shade, (0, 0), max(0.5, softness * SIDE / self.size))
        blurred[[0, -1]], blurred[:, [0, -1]] = 0, 0
        u = (x + np.float32(0.5 * self.size)) * np.float32(SIDE / self.size)
        v = (y - np.float32(self.near)) * np.float32(SIDE / self.size)
        found = cv2.remap(blurred.astype(np.float32), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(1.0 - found / 255.0, np.float32)


def ground(size: float, near: float, sun: F32) -> Ground:
    """Unshaded ground, `size` metres wide, from y = near on."""
    return Ground(np.zeros((SIDE, SIDE), np.uint8), size, near, sun)
