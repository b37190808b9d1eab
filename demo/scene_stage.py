"""Sprites: plants drawn once in 8 bits, set into the picture at any size, lit, hazed and hidden by depth."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.scene_noise import F32, f32
from demo.scene_sky import Light
from demo.scene_view import View

U8 = NDArray[np.uint8]
BRIGHTEST = 0.5  # the albedo that 255 stands for in a sprite


@dataclass(frozen=True)
class Sprite:
    """A plant, its foot at the middle of the bottom edge, in halved sizes, the largest first.

    Each size is (albedo and coverage (h, w, 4), shares of sunlight and skylight (h, w, 3), the last unused),
    all times coverage, linear.
    """

    sizes: list[tuple[U8, U8]]

    def fitting(self, height: int) -> tuple[U8, U8]:
        """The smallest size that is at least `height` pixels tall, or the largest there is."""
        tall = [pair for pair in self.sizes if pair[0].shape[0] >= height]
        return tall[-1] if tall else self.sizes[0]


class Easel:
    """An 8-bit canvas for one sprite in units of its height: x from -aspect/2 to aspect/2, z from 0 to 1."""

    def __init__(self, height: int, aspect: float) -> None:
        self.size = height
        self.albedo = np.zeros((height, max(4, round(height * aspect)), 4), np.uint8)
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
        sizes = [(self.albedo, self.light)]
        while min(sizes[-1][0].shape[:2]) > 8:
            half = (sizes[-1][0].shape[1] // 2, sizes[-1][0].shape[0] // 2)
            albedo, light = (cv2.resize(p, half, interpolation=cv2.INTER_AREA) for p in sizes[-1])
            sizes.append((np.asarray(albedo, np.uint8), np.asarray(light, np.uint8)))
        return Sprite(sizes)


@dataclass(frozen=True)
class Stage:
    """The picture in the making, changed in place: radiance (H, W, 3) and depth in metres (H, W)."""

    view: View
    light: Light
    radiance: F32
    depth: F32

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
        height = round(tall * self.view.f / distance)
        if height < 2:
            return
        pigment, share = sprite.fitting(height)
        width = max(2, round(pigment.shape[1] * height / pigment.shape[0]))
        u, v = self.view.project(np.array([foot], np.float32))[0].tolist()
        left, top = round(u - width / 2), round(v) - height
        x0, x1 = max(left, 0), min(left + width, self.view.width)
        y0, y1 = max(top, 0), min(top + height, self.view.height)
        if x0 >= x1 or y0 >= y1:
            return
        cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        here = (slice(y0, y1), slice(x0, x1))
        fitted = [cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR) for p in (pigment, share)]
        albedo, shares = (f32((p[:, ::-1] if flip else p)[cut]) for p in fitted)
        cover = albedo[..., 3] * np.float32(1 / 255)
        seen = f32(self.depth[here] > distance * 0.985 - tall * 0.5)
        # both layers are premultiplied: their product has the coverage once too often
        scale = np.float32(BRIGHTEST / 255) * seen / np.maximum(albedo[..., 3], 1.0)
        left_over = self.light.left(distance) * np.float32(tint)
        sun = self.light.direct * left_over * np.float32(lit)
        glow = shares[..., :1] * sun + shares[..., 1:2] * (self.light.ambient * left_over)
        glow *= albedo[..., :3] * scale[..., None]
        hidden = cover * seen
        target = self.radiance[here]
        target *= (1.0 - hidden)[..., None]
        target += glow
        target += hidden[..., None] * (self.light.air * (1.0 - self.light.left(distance)))
        self.depth[here][hidden > 0.5] = distance
