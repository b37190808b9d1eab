"""Where the houses of the village stand, and what grows between them."""

from dataclasses import dataclass

import numpy as np

from demo.scene_houses import Body, Tone, house, steeple
from demo.scene_plants import BUSH, OAK, POPLAR, tree
from demo.scene_stage import Stage
from demo.scene_walls import Style

PLASTER: list[Tone] = [
    (0.66, 0.60, 0.48),
    (0.70, 0.66, 0.58),
    (0.62, 0.48, 0.30),
    (0.60, 0.54, 0.46),
    (0.68, 0.58, 0.42),
]
ROOF: list[Tone] = [(0.115, 0.055, 0.040), (0.145, 0.065, 0.042), (0.075, 0.062, 0.058), (0.13, 0.075, 0.05)]
SHUTTER: list[Tone | None] = [(0.05, 0.10, 0.06), (0.14, 0.05, 0.035), None, (0.06, 0.09, 0.13), None]

BELFRY = Style((0.60, 0.57, 0.51), 7.0, 2.8, (0.9, 2.0), None, 0.25, 1.0)

# (x, y, turn) of every house
# fmt: off
SPOTS = [
    (-30.0, 62.0, 0.35), (-13.0, 72.0, -0.25), (5.0, 60.0, 0.15), (22.0, 70.0, -0.4), (39.0, 64.0, 0.2),
    (-46.0, 78.0, 0.1), (-24.0, 92.0, -0.5), (-2.0, 88.0, 0.55), (16.0, 94.0, 0.0), (34.0, 90.0, 0.6),
    (54.0, 86.0, -0.3), (-62.0, 100.0, 0.5), (-40.0, 112.0, 0.0), (24.0, 116.0, -0.5), (46.0, 112.0, 0.2),
    (66.0, 120.0, 0.4), (-58.0, 134.0, -0.3), (-30.0, 142.0, 0.3), (30.0, 146.0, 0.1), (54.0, 150.0, -0.2),
    (-82.0, 150.0, 0.1), (84.0, 156.0, 0.3), (-14.0, 158.0, -0.1), (12.0, 164.0, 0.4), (-48.0, 168.0, 0.0),
]
# fmt: on


@dataclass(frozen=True)
class Plot:
    """A house to be built."""

    body: Body
    ridge: float
    style: Style
    roof: Tone
    seed: int


def settle(seed: int) -> list[Plot]:
    """The village's houses, near ones last."""
    rng = np.random.default_rng([seed, 90])
    plots = []
    for k, (x, y, turn) in enumerate(SPOTS):
        wide, deep = float(rng.uniform(9.5, 13.5)), float(rng.uniform(7.5, 9.0))
        tall = float(rng.choice([3.4, 5.9, 6.1]))
        body = Body(x, y, 0.0, turn + float(rng.normal(0, 0.08)), wide, deep, tall)
        shutters = SHUTTER[int(rng.integers(5))]
        style = Style(PLASTER[int(rng.integers(5))], 2.8, float(rng.uniform(2.3, 2.9)), (1.0, 1.35), shutters)
        plots.append(
            Plot(
                body,
                tall + deep * float(rng.uniform(0.40, 0.55)),
                style,
                ROOF[int(rng.integers(4))],
                seed + 7 * k,
            )
        )
    return sorted(plots, key=lambda plot: -plot.body.y)


def church(stage: Stage, seed: int) -> None:
    """Nave and steeple, in the middle of the village."""
    stone = Style((0.58, 0.55, 0.49), 7.5, 4.2, (1.1, 4.2), None, 0.30, 1.0)
    house(stage, Body(-8.0, 126.0, 0.0, 0.12, 24.0, 11.0, 9.0), 16.0, stone, (0.085, 0.07, 0.065), seed + 201)
    steeple(
        stage, Body(6.6, 127.8, 0.0, 0.12, 6.0, 6.0, 25.0), 42.0, BELFRY, (0.060, 0.066, 0.066), seed + 202
    )


def gardens(stage: Stage, plots: list[Plot], seed: int) -> None:
    """Trees and bushes beside the houses."""
    rng = np.random.default_rng([seed, 91])
    size = max(48, min(420, round(10.5 * stage.view.f / 60.0)))
    kinds = [
        tree(k, stage.light, size, seed + 92 + i) for i, k in enumerate((OAK, POPLAR, BUSH, OAK, BUSH, BUSH))
    ]
    for plot in plots:
        for _ in range(5):
            pick = int(rng.integers(6))
            shrub = pick in (2, 4, 5)
            side = 1.0 if rng.random() < 0.5 else -1.0
            away = -0.5 * plot.body.depth - 0.8 if shrub else 0.5 * plot.body.depth + 3.0
            along = (
                float(rng.uniform(-0.6, 0.6)) * plot.body.width
                if shrub
                else side * (0.5 * plot.body.width + 3.0)
            )
            x, y, _ = plot.body.point(along, away, 0.0)
            tall = float(rng.uniform(0.8, 1.9)) if shrub else float(rng.uniform(5.0, 10.5))
            stage.plant(
                kinds[pick],
                (x, y, -0.05),
                tall,
                float(rng.uniform(0.75, 1.0)),
                float(rng.uniform(0.75, 1.15)),
            )
