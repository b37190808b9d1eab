"""What every shipped preset promises, on pictures made here; photographs are for `make looks`."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from demo.scenes import render
from lptn_cli import Retoucher
from lptn_cli import preset as presets
from lptn_cli.luma import LUMA
from lptn_cli.training.evaluation import GREYS, border, size_consistency, structure_and_turned
from lptn_cli.training.reading import Pixels8
from lptn_cli.translate import load_network

FOLDER = Path(__file__).parents[1] / "presets"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.fixture(scope="module", params=NAMES)
def look(request: pytest.FixtureRequest) -> Retoucher:
    return Retoucher(presets.read(FOLDER / f"{request.param}.toml"), "cpu")


@pytest.fixture(scope="module")
def village() -> Pixels8:
    return np.rint(render("village", 960, 640) * 255).astype(np.uint8)


def test_all_that_readme_promises_are_there() -> None:
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", readme, re.MULTILINE)) == set(NAMES)


def test_it_is_small_of_the_papers_form_and_says_how_it_was_made(look: Retoucher) -> None:
    preset = look.preset
    assert preset.weights.stat().st_size < 3_000_000
    assert load_network(preset).form == "paper"
    assert (preset.native_scale, preset.license) == (240, "Apache-2.0")
    assert preset.description and preset.trained
    card = preset.card.read_text("utf-8")
    for heading in ("## How it was made", "## Figures", "## What it is bad at", "lptn train "):
        assert heading in card
    assert "licence" in card
    assert set(tomllib.loads(preset.path.read_text("utf-8"))) >= {"sha256", "padding", "trained", "figures"}


def test_a_flat_photo_stays_flat_up_to_its_border(look: Retoucher) -> None:
    assert max(border(look, grey) for grey in GREYS) <= 2


def test_a_smooth_ramp_gets_no_bands(look: Retoucher) -> None:
    """Steps of one level become steps of two, seldom three, and levels are not lost to a veil."""
    ramp = np.linspace(70, 190, 1200).astype(np.uint8)
    result = look(np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (800, 1200, 3)))).astype(int)
    steps = np.abs(np.diff(result, axis=1))
    assert steps.max() <= 3
    assert (steps > 2).mean() < 0.001
    assert max(len(np.unique(result[..., channel])) for channel in range(3)) > 30


def test_it_is_the_same_at_every_size(look: Retoucher, village: Pixels8) -> None:
    assert size_consistency(look, village) >= 38


def test_it_keeps_the_picture(look: Retoucher, village: Pixels8) -> None:
    structure, turned = structure_and_turned(village, np.asarray(look(village), np.uint8))
    assert structure >= 0.96
    assert turned <= 0.01


def test_strength_light_and_color_move_it_evenly(look: Retoucher, village: Pixels8) -> None:
    small = village[::2, ::2].copy()
    strengths = np.linspace(0, 1.5, 13)
    for way in ("strength", "light", "color"):
        given = [{"strength": 0.0, "light": None, "color": None} | {way: float(s)} for s in strengths]
        results = [
            look(small, strength=g["strength"], light=g["light"], color=g["color"]).astype(float)
            for g in given
        ]
        np.testing.assert_array_equal(results[0], small)
        moves = np.array([np.abs(after - before).mean() for before, after in pairwise(results)])
        assert moves.max() < 2 * np.median(moves) + 0.5


def mean(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> tuple[float, float, float]:
    red, green, blue = pixels.reshape(-1, 3).mean(0)
    return float(red), float(green), float(blue)


def test_each_does_what_its_name_says(look: Retoucher, village: Pixels8) -> None:
    before, after = mean(village), mean(look(village))
    light = float(np.dot(after, LUMA) / np.dot(before, LUMA))
    spread = (max(after) - min(after)) / max(after)
    match look.preset.name:
        case "day-to-night":
            assert light < 0.45
            assert after[2] > 1.1 * after[0]
        case "night-to-day":
            dark = mean(look(village // 4))
            assert np.dot(dark, LUMA) > 1.6 * np.dot(mean(village // 4), LUMA)
        case "summer-to-winter":
            assert light > 1
            assert after[2] > after[1] > after[0]
        case "winter-to-summer":
            grain = np.random.default_rng(0).standard_normal(village.shape[:2])
            drifts = 225 + 90 * cv2.GaussianBlur(grain, (0, 0), 15)  # by some levels
            snow = np.rint(np.dstack([drifts] * 3)).astype(np.uint8)
            snow[:200] = (150, 180, 230)
            green = mean(look(snow)[400:])
            assert green[1] > 1.1 * green[2]
        case "golden-hour" | "autumn":
            assert after[0] / after[2] > 1.2 * before[0] / before[2]
        case "retouch":
            assert 0.85 < light < 1.2
            assert spread < 0.4
        case other:
            pytest.fail(f"say here what {other} does")
