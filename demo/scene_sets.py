"""The five scenes: camera, light and what stands where. All return (H, W, 3) sRGB in [0, 1]."""

from dataclasses import replace

import numpy as np

from demo.scene_camera import develop
from demo.scene_city import paving, pots, terrace, towers, waterfront
from demo.scene_houses import Body, house, steeple
from demo.scene_meadow import grass, hills, woods
from demo.scene_meadow import surface as meadow_surface
from demo.scene_mountains import bank, forest, range_land, surface
from demo.scene_noise import F32, blend, colour
from demo.scene_plants import OAK, tree
from demo.scene_shade import ground
from demo.scene_sky import Clouds, add_clouds, clear_sky, daylight
from demo.scene_stage import Stage
from demo.scene_view import View, trace
from demo.scene_village import BELFRY, church, gardens, settle
from demo.scene_water import add_water


def lake(width: int, height: int, seed: int) -> F32:
    """A mountain lake at noon: snow, rock, spruce forest and the mirror of all of them."""
    view = View(width, height, 0.80, 0.56, 4.0)
    light = daylight(112, 38, reach=38000.0)
    land = range_land(15000.0, 300.0, 2900.0, seed)
    radiance = add_clouds(view, clear_sky(view, light), light, Clouds(0.36), seed)
    hits = trace(view, land, 320.0, 15000.0)
    # the near water hides the rest of the map
    rows = hits.rows(round(view.horizon * height + view.f * view.eye / 320.0) + 3)
    part = hits.cut(rows)
    far = light.haze(surface(land, part, light, seed), part.y)
    radiance[rows] = blend(radiance[rows], far, part.cover)
    depth = np.where(hits.cover > 0.5, hits.y, np.float32(1e6))
    forest(Stage(view, light, radiance, depth), land, 24000, 620.0, seed)
    level = land.lookup(land.height, hits.x, hits.y)
    water = ((level < 0.3) & (hits.cover > 0.5) & (depth > hits.y * 0.99)).astype(np.float32)
    below = view.rows[:, None] < -view.eye / 320.0
    water = np.maximum(water, below.astype(np.float32))
    shore = np.argmax(water > 0.5, axis=0).astype(np.float32)
    radiance = add_water(view, radiance, water, shore, light, seed)
    bank(Stage(view, light, radiance, np.full_like(depth, 1e6)), seed)
    return develop(radiance, 1.2)


def meadow(width: int, height: int, seed: int) -> F32:
    """A summer meadow with a track, oaks, and fields on the hills behind."""
    view = View(width, height, 0.82, 0.47, 1.65)
    light = daylight(105, 46, reach=16000.0)
    land = hills(4200.0, 1.0, 150.0, seed)
    radiance = add_clouds(view, clear_sky(view, light), light, Clouds(0.40), seed + 3)
    hits = trace(view, land, 1.8, 4000.0)
    shade = ground(260.0, 1.0, light.sun)
    oaks = [
        (-19.0, 46.0, 15.0, 1),
        (-31.0, 62.0, 17.0, 2),
        (27.0, 84.0, 16.0, 3),
        (15.0, 135.0, 15.0, 4),
        (44.0, 118.0, 17.0, 5),
    ]
    for x, y, tall, kind in oaks:
        shade.crown((x, y, 0.0), tall, tall * 0.8, kind)
    rows = hits.rows(height)
    part = hits.cut(rows)
    far = light.haze(meadow_surface(part, land, light, shade, seed), part.y)
    radiance[rows] = blend(radiance[rows], far, part.cover)
    stage = Stage(view, light, radiance, np.where(hits.cover > 0.5, hits.y, np.float32(1e6)))
    woods(stage, land, 9000, (190.0, 3600.0), seed)
    for x, y, tall, kind in oaks[::-1]:
        z = float(land.lookup(land.height, np.array([[x]], np.float32), np.array([[y]], np.float32))[0, 0])
        stage.plant(
            tree(OAK, light, round(min(1400, tall * view.f / y)), seed + 70 + kind), (x, y, z - 0.1), tall
        )
    grass(stage, land, shade, 6000, seed, 45.0, 3.3)
    return develop(radiance, 1.25)


def village(width: int, height: int, seed: int) -> F32:
    """A village at the foot of a hill: dark tiled roofs and a steeple against a bright sky."""
    view = View(width, height, 0.88, 0.58, 7.5)
    light = daylight(118, 38, reach=14000.0)
    land = hills(3000.0, 1.0, 120.0, seed + 8)
    radiance = add_clouds(view, clear_sky(view, light), light, Clouds(0.38, cirrus=0.6), seed + 5)
    hits = trace(view, land, 4.0, 2900.0)
    shade = ground(260.0, 1.0, light.sun)
    plots = settle(seed)
    for plot in plots:
        shade.block(plot.body.corners(plot.ridge))
    rows = hits.rows(height)
    part = hits.cut(rows)
    far = light.haze(meadow_surface(part, land, light, shade, seed + 8), part.y)
    radiance[rows] = blend(radiance[rows], far, part.cover)
    stage = Stage(view, light, radiance, np.where(hits.cover > 0.5, hits.y, np.float32(1e6)))
    woods(stage, land, 5000, (230.0, 2800.0), seed + 8)
    church(stage, seed)
    for plot in plots:
        house(stage, plot.body, plot.ridge, plot.style, plot.roof, plot.seed)
    gardens(stage, plots, seed)
    grass(stage, land, shade, 6000, seed, 60.0, 8.0)
    return develop(radiance, 1.2)


def skyline(width: int, height: int, seed: int) -> F32:
    """Towers in the haze behind a river and its quay."""
    view = View(width, height, 0.92, 0.66, 9.0)
    light = daylight(128, 34, reach=9000.0, warmth=0.3)
    radiance = add_clouds(view, clear_sky(view, light), light, Clouds(0.34, cirrus=0.7), seed + 7)
    stage = Stage(view, light, radiance, np.full((height, width), 1e6, np.float32))
    towers(stage, 130, seed)
    waterfront(stage, seed)
    line = round(view.horizon * height + view.f * view.eye / 636.0)
    water = (np.arange(height)[:, None] >= line) * np.ones((1, width), np.float32)
    shore = np.full(width, line, np.float32)
    return develop(add_water(view, radiance, water.astype(np.float32), shore, light, seed, 1.6), 1.2)


def street(width: int, height: int, seed: int) -> F32:
    """A cobbled street between old houses, upright; the church stands at its end."""
    view = View(width, height, 0.95, 0.60, 1.6)
    # walls in the sun throw warm light into the shade
    light = replace(daylight(50, 52, reach=5000.0), ambient=colour(0.36, 0.40, 0.46))
    radiance = add_clouds(view, clear_sky(view, light), light, Clouds(0.33), seed + 4)
    plots = terrace(seed)
    shade = ground(160.0, 0.5, light.sun)
    for plot in plots:
        shade.block(plot.body.corners(plot.ridge))
    floor, depth = paving(view, light, shade, seed)
    radiance = np.where((depth < 1e5)[..., None], light.haze(floor, np.minimum(depth, 1e4)), radiance)
    stage = Stage(view, light, radiance, np.ascontiguousarray(depth))
    steeple(stage, Body(7.5, 150.0, 0.0, 0.3, 7.0, 7.0, 27.0), 46.0, BELFRY, (0.06, 0.066, 0.066), seed)
    for plot in plots:
        house(stage, plot.body, plot.ridge, plot.style, plot.roof, plot.seed)
    pots(stage, seed)
    return develop(radiance, 1.45)
