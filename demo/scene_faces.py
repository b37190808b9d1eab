"""Flat sides in three dimensions: textured, lit, and set into the scene by depth."""

from collections.abc import Callable

import cv2
import numpy as np

from demo.scene_noise import F32, f32
from demo.scene_stage import Stage
from demo.scene_walls import Skin

Point = tuple[float, float, float]
Paint = Callable[[float, float, float, int], Skin]  # (metres wide, metres tall, pixels per metre, seed)


def face(stage: Stage, corners: list[Point], paint: Paint, seed: int) -> None:
    """Set a flat side, corners from the upper left clockwise; nothing happens if it looks away."""
    quad = np.array(corners, np.float32)
    normal = np.cross(quad[1] - quad[0], quad[3] - quad[0])
    normal = -normal / (np.linalg.norm(normal) + 1e-9)
    middle = quad.mean(0)
    eye = np.array([0, 0, stage.view.eye], np.float32)
    if quad[:, 1].min() < 0.3 or float(normal @ (eye - middle)) <= 0:
        return
    spot = stage.view.project(quad)
    low = np.floor(spot.min(0) - 2).astype(int)
    high = np.ceil(spot.max(0) + 2).astype(int)
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(high[0], stage.view.width), min(high[1], stage.view.height)
    if x0 >= x1 or y0 >= y1:
        return
    wide, tall = float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))
    # the nearest point in view; and no texture of a hundred million pixels for a wall at arm's length
    nearest = max(float(quad[:, 1].min()), float(np.abs(quad[:, 0]).min()) * 2.0 * stage.view.focal)
    ppm = float(min(1.3 * stage.view.f / nearest, (3.0e6 / (wide * tall)) ** 0.5))
    made = paint(wide, tall, ppm, seed)
    h, w = made.cover.shape
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32) - 0.5
    grow = (
        spot
        + (spot - spot.mean(0)) / (np.linalg.norm(spot - spot.mean(0), axis=1, keepdims=True) + 1e-6) * 0.4
    )
    matrix = cv2.getPerspectiveTransform(source, (grow - [x0 + 0.5, y0 + 0.5]).astype(np.float32))
    size = (x1 - x0, y1 - y0)
    sheets = (np.dstack([made.albedo * made.cover[..., None], made.mirror * made.cover]), made.cover)
    warp = matrix @ _rescale(made.cover, spot)
    seen = f32(np.dstack([cv2.warpPerspective(_fitted(sheet, spot), warp, size) for sheet in sheets]))
    _set(stage, (slice(y0, y1), slice(x0, x1)), seen, (spot, quad[:, 1]), normal)


def _short(sheet: F32, spot: F32) -> tuple[int, int]:
    """The texture's size cut down to about the size it is seen at, (h, w), against aliasing."""
    sides = [float(np.linalg.norm(spot[i] - spot[j])) for i, j in ((0, 1), (3, 2), (0, 3), (1, 2))]
    h, w = sheet.shape[:2]
    return max(2, min(h, round(max(sides[2:]) * 1.3))), max(2, min(w, round(max(sides[:2]) * 1.3)))


def _fitted(sheet: F32, spot: F32) -> F32:
    h, w = _short(sheet, spot)
    return np.asarray(cv2.resize(sheet, (w, h), interpolation=cv2.INTER_AREA), np.float32)


def _rescale(sheet: F32, spot: F32) -> F32:
    """From pixels of the fitted texture to pixels of the full one."""
    h, w = _short(sheet, spot)
    sx, sy = sheet.shape[1] / w, sheet.shape[0] / h
    return np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]], np.float64).astype(
        np.float32
    )


def _set(stage: Stage, here: tuple[slice, slice], seen: F32, plane: tuple[F32, F32], normal: F32) -> None:
    """Light the warped texture and lay it over what is farther away."""
    spot, depth = plane
    # on a plane 1 / depth is affine in the pixel position
    a = np.c_[spot, np.ones(4)]
    k = np.linalg.lstsq(a, 1.0 / depth, rcond=None)[0]
    u = np.arange(here[1].start, here[1].stop, dtype=np.float32) + 0.5
    v = np.arange(here[0].start, here[0].stop, dtype=np.float32) + 0.5
    inverse = k[0] * u[None] + k[1] * v[:, None] + k[2]
    distance = (1.0 / np.clip(inverse, 1.0 / (depth.max() * 1.02), 1.0 / (depth.min() * 0.98))).astype(
        np.float32
    )
    cover = seen[..., 4] * (distance < stage.depth[here] * 1.002)
    light = stage.light
    shade = light.shade(
        np.float32(normal @ light.sun) * np.ones(1, np.float32), 1.0, 0.62 + 0.38 * float(normal[2])
    )
    glow = seen[..., :3] * shade[0]
    away = 1.0 - 0.45 * float(np.clip(normal @ light.sun, 0, 1))
    glow = glow + seen[..., 3:4] * light.air * np.array([0.8, 0.95, 1.15], np.float32) * np.float32(
        0.9 * away
    )
    left = light.left(distance)
    glow = glow * left + light.air * (1.0 - left) * seen[..., 4:5]
    part = cover / np.maximum(seen[..., 4], 1e-4)
    target = stage.radiance[here]
    target += glow * part[..., None] - target * cover[..., None]
    stage.depth[here] = np.where(cover > 0.5, distance, stage.depth[here])
