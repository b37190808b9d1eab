"""Strength, light and colour move a look evenly: no jump, nothing clipped, nothing turned round."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from lptn_cli.affine import FloatImage
from lptn_cli.luma import LUMA
from lptn_cli.strength import affine, blend, blend_gain, blend_recolouring

STEPS = np.linspace(0, 1.5, 61)
WAYS = pytest.mark.parametrize(
    "way", [(1, 1), (1, 0), (0, 1), (1, 0.5)], ids=["both", "light", "color", "mixed"]
)


def pictures() -> tuple[FloatImage, FloatImage]:
    before, after = np.random.default_rng(1).random((2, 24, 18, 3)).astype(np.float32)
    return before, after


def dusk() -> tuple[FloatImage, FloatImage]:
    """Bright sky and darker land, and what a night makes of them."""
    before = np.array([[[0.62, 0.75, 0.92]], [[0.40, 0.38, 0.25]]], np.float32)
    after = np.array([[[0.07, 0.14, 0.31]], [[0.09, 0.09, 0.11]]], np.float32)
    return before, after


def test_light_and_color_split_the_look() -> None:
    before, after = pictures()
    bright, coloured = blend(before, after, 1.0, 0.0), blend(before, after, 0.0, 1.0)
    np.testing.assert_allclose(bright @ LUMA, after @ LUMA, atol=1e-5)
    np.testing.assert_allclose(coloured @ LUMA, before @ LUMA, atol=1e-5)
    np.testing.assert_allclose(bright + coloured - before, after, atol=1e-5)


def test_up_to_one_the_way_is_straight() -> None:
    before, after = pictures()
    for strength in (0.0, 0.3, 1.0):
        straight = before + strength * (after - before)
        np.testing.assert_allclose(blend(before, after, strength, strength), straight, atol=1e-6)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_what_is_beyond_black_and_white_steepens_no_detail(strength: float) -> None:
    before, after = pictures()
    photo, beyond = (torch.from_numpy(image) for image in (before, 2 * after - 0.5))
    gain = torch.ones_like(photo[..., :1])
    found, wanted = (
        affine(photo, look, gain, None, strength, strength).terms for look in (beyond, beyond.clip(0, 1))
    )
    assert torch.equal(found, wanted)
    assert float(found.std(dim=(1, 2)).max()) > 0.01


@WAYS
def test_no_jump_anywhere_on_the_way(way: tuple[float, float]) -> None:
    before, after = pictures()
    results = [blend(before, after, way[0] * s, way[1] * s).clip(0, 1) for s in STEPS]
    moves = [np.abs(after - before) for before, after in pairwise(results)]
    assert max(move.max() for move in moves) < 0.1  # a fortieth, of changes of up to 4 in colour alone
    assert max(move.mean() for move in moves) < 0.02


def test_brightness_moves_one_way_and_stays_in_range() -> None:
    before, after = dusk()
    for first, second in ((before, after), (after, before)):
        lumas = np.stack([blend(first, second, s, s) @ LUMA for s in STEPS])
        direction = np.sign((second - first) @ LUMA)
        assert (np.diff(lumas, axis=0) * direction > 0).all()
        furthest = blend(first, second, 1.5, 1.5)
        assert 0 < furthest.min() <= furthest.max() < 1


def test_a_dark_sky_stays_above_a_dark_land() -> None:
    before, after = dusk()
    for s in STEPS:
        sky, land = blend(before, after, s, s) @ LUMA
        assert sky > land


@pytest.mark.parametrize("gain", [-0.2, 0.0, 0.3, 1.0, 1.7])
def test_gain_of_detail_moves_without_a_jump_and_is_not_turned_round(gain: float) -> None:
    gains = [float(blend_gain(np.full((1, 1, 1), gain, np.float32), s)[0, 0, 0]) for s in STEPS]
    assert gains[0] == 1
    assert np.abs(np.diff(gains)).max() < 0.04
    assert min(gains) >= min(gain, 0) - 1e-3
    assert min(gains) > 0 or gain <= 0


@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_recolouring_moves_without_a_jump_till_none_of_its_own_colour_is_kept(kept: float) -> None:
    colour = np.array([kept, 0.9, 0.5, -0.4], np.float32).reshape(1, 1, 4)
    steps = np.stack([blend_recolouring(colour, s).ravel() for s in STEPS])
    np.testing.assert_array_equal(steps[0], [1, 0, 0, 0])
    np.testing.assert_allclose(steps[40], colour.ravel(), atol=1e-6)
    assert np.abs(np.diff(steps, axis=0)).max() < 0.03
    assert steps[:, 0].min() >= -1e-6
    assert kept == 1 or np.ptp(steps[1:, 1:] / (1 - steps[1:, :1]), axis=0).max() < 1e-4  # all of it moves


def test_without_color_detail_keeps_its_colour() -> None:
    flat, gain = torch.full((24, 18, 3), 0.5), torch.ones(24, 18, 1)
    kept, faded = (
        affine(flat, flat, gain, torch.tensor([0.0, 1, 1, 1]).expand(24, 18, 4), 1, color).terms[:3, 2, 2]
        for color in (0, 1)
    )
    np.testing.assert_allclose(kept, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(faded, np.outer(LUMA, np.ones(3)), atol=1e-5)
