"""Strength, light and colour move a look evenly: no jump, nothing clipped, nothing turned round."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.luma import LUMA, luma
from lptn_cli.strength import affine, blend, blend_gain, blend_recolouring

STEPS = np.linspace(0, 1.5, 61)
WAYS = pytest.mark.parametrize(
    "way", [(1, 1), (1, 0), (0, 1), (1, 0.5)], ids=["both", "light", "color", "mixed"]
)


SEA = (4, 186, 235), (19, 31, 47)  # of a turquoise bay by day and at night, in levels
MEADOW = (68, 83, 8), (167, 181, 195)  # in a vivid summer and in winter


def pictures() -> tuple[Tensor, Tensor]:
    before, after = np.random.default_rng(1).random((2, 24, 18, 3)).astype(np.float32)
    return torch.from_numpy(before), torch.from_numpy(after)


def dusk() -> tuple[Tensor, Tensor]:
    """Bright sky and darker land, and what a night makes of them."""
    before = torch.tensor([[[0.62, 0.75, 0.92]], [[0.40, 0.38, 0.25]]])
    after = torch.tensor([[[0.07, 0.14, 0.31]], [[0.09, 0.09, 0.11]]])
    return before, after


def blended(colours: tuple[tuple[int, ...], tuple[int, ...]], light: float, color: float) -> list[float]:
    """Levels of one colour on its way to another."""
    before, after = (torch.tensor(colour).view(1, 1, 3) / 255 for colour in colours)
    levels: list[float] = (255 * blend(before, after, light, color)).flatten().tolist()
    return levels


def test_brightness_is_lights_alone_and_colour_that_of_the_picture_at_its_strength() -> None:
    before, after = pictures()
    for light in (0.0, 0.4, 1.0):
        reached = luma(before + light * (after - before))
        for color in (0.0, 0.4, 1.0, 1.5):
            torch.testing.assert_close(luma(blend(before, after, light, color)), reached, atol=1e-5, rtol=0)
    darker = before * 0.8  # has the same ratios of channels
    torch.testing.assert_close(blend(before, darker, 1, 0), darker)
    torch.testing.assert_close(blend(before, darker, 0, 1), before)


@pytest.mark.parametrize("light", [0, 0.5, 1, 1.5])
@pytest.mark.parametrize("color", [0, 0.5, 1, 1.5])
def test_nothing_is_clipped(light: float, color: float) -> None:
    before, after = pictures()
    for first, second in (
        (before, after),
        (before, after.square()),
        (before.sqrt(), after),
        (before, 1 - before),
    ):
        result = blend(first, second, light, color)
        assert result.min() > -1e-3
        assert result.max() < 1 + 1e-3


def test_colour_alone_is_the_looks_own_at_the_photos_brightness() -> None:
    red, green, blue = blended(MEADOW, 0, 1)
    assert 50 < red < green < blue < 90, "dark and bluish; was violet"
    red, green, blue = blended(MEADOW[::-1], 0, 1)
    assert blue < red < green
    assert blended(SEA, 0, 1) == sorted(blended(SEA, 0, 1))


@pytest.mark.parametrize("strength", [1.1, 1.25, 1.5])
def test_beyond_one_no_colour_turns_into_its_complement(strength: float) -> None:
    red, green, blue = blended(SEA, strength, strength)
    assert 0 < red < green + 1 < blue < SEA[1][2], "a blue that is nearly black; was red"
    green_to_grey = (60, 130, 40), (96, 104, 94)
    red, green, blue = blended(green_to_grey, 1, strength)
    assert green >= max(red, blue)


def test_beyond_one_a_tint_of_grey_grows() -> None:
    warm = (128, 128, 128), (140, 126, 112)
    spread = [np.ptp(blended(warm, 1, color)) for color in (0.5, 1, 1.5)]
    np.testing.assert_allclose(spread, [14, 28, 42], rtol=0.1)


def test_up_to_one_the_way_is_straight() -> None:
    before, after = pictures()
    for strength in (0.0, 0.3, 1.0):
        straight = before + strength * (after - before)
        torch.testing.assert_close(blend(before, after, strength, strength), straight, atol=1e-6, rtol=0)


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_what_is_beyond_black_and_white_steepens_no_detail(strength: float) -> None:
    photo, after = pictures()
    beyond = 2 * after - 0.5
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
    moves = [(after - before).abs() for before, after in pairwise(results)]
    assert max(float(move.max()) for move in moves) < 0.12
    assert max(float(move.mean()) for move in moves) < 0.02


def test_brightness_moves_one_way_and_stays_in_range() -> None:
    before, after = dusk()
    for first, second in ((before, after), (after, before)):
        lumas = torch.stack([luma(blend(first, second, s, s)) for s in STEPS])
        assert (lumas.diff(dim=0) * luma(second - first).sign() > 0).all()
        furthest = blend(first, second, 1.5, 1.5)
        assert 0 < furthest.min() <= furthest.max() < 1


def test_a_dark_sky_stays_above_a_dark_land() -> None:
    before, after = dusk()
    for s in STEPS:
        sky, land = luma(blend(before, after, s, s))
        assert sky > land


@pytest.mark.parametrize("gain", [-0.2, 0.0, 0.3, 1.0, 1.7])
def test_gain_of_detail_moves_without_a_jump_and_is_not_turned_round(gain: float) -> None:
    gains = [float(blend_gain(torch.full((1, 1, 1), gain), s)) for s in STEPS]
    assert gains[0] == 1
    assert np.abs(np.diff(gains)).max() < 0.04
    assert min(gains) >= min(gain, 0) - 1e-3
    assert min(gains) > 0 or gain <= 0


@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_recolouring_moves_without_a_jump_till_none_of_its_own_colour_is_kept(kept: float) -> None:
    colour = torch.tensor([kept, 0.9, 0.5, -0.4]).view(1, 1, 4)
    steps = np.stack([blend_recolouring(colour, s).numpy().ravel() for s in STEPS])
    np.testing.assert_array_equal(steps[0], [1, 0, 0, 0])
    np.testing.assert_allclose(steps[40], colour.flatten(), atol=1e-6)
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
