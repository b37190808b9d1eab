"""The look as linear maps of colour: what is found, what flat places get, and that glows beside edges go."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.guided_filter import RIDGE, fit
from lptn_cli.luma import LUMA, luma
from tests.conftest import photo


def picture(height: int = 60, width: int = 90) -> Tensor:
    return torch.from_numpy(np.divide(photo(height, width), 255, dtype=np.float32))


def flat(value: float, channels: int = 3) -> Tensor:
    return torch.full((20, 30, channels), float(value))


def faded(saturation: float) -> Tensor:
    return torch.tensor([saturation, *[1 - saturation] * 3]).expand(20, 30, 4)


def applied(terms: Tensor, colour: Tensor) -> Tensor:
    """The maps of one place each, (4, h, w, 3), on one colour."""
    return terms[:3].mul(colour[:, None, None, None]).sum(0) + terms[3]


def test_a_look_that_is_the_photo_is_the_map_to_itself() -> None:
    small = picture()
    terms = fit(small, small, torch.ones(60, 90, 1), None).terms
    assert terms.shape == (4, 15, 22, 3)
    np.testing.assert_allclose(terms, torch.eye(4, 3)[:, None, None].expand(4, 15, 22, 3), atol=1e-5)


def test_a_map_of_colours_is_found() -> None:
    small = torch.from_numpy(np.random.default_rng(0).random((60, 90, 3)).astype(np.float32))
    matrix = torch.tensor([[0.6, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.1, 0.4]])
    terms = fit(small, small @ matrix + 0.1, torch.ones(60, 90, 1), None).terms
    found = terms.mean((1, 2))
    np.testing.assert_allclose(found[:3], matrix, atol=0.03)  # the ridge draws it a thirtieth towards 1
    np.testing.assert_allclose(found[3], 0.1, atol=0.03)


def test_flat_places_get_the_gain_and_the_saturation_they_are_told_and_keep_the_mean() -> None:
    small, look = flat(0.5), flat(0.3)
    terms = fit(small, look, flat(0.8, 1), faded(0.25)).terms
    colours = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    wanted = 0.8 * (0.75 * luma(colours) + 0.25 * colours - 0.5) + 0.3
    for colour, one in zip(colours, wanted, strict=True):
        np.testing.assert_allclose(applied(terms, colour), one.expand(5, 8, 3), atol=1e-5)


@pytest.mark.parametrize("saturation", [0.0, 1.0])
def test_a_ridge_of_no_colour_and_of_all_colour(saturation: float) -> None:
    terms = fit(flat(0.5), flat(0.5), flat(1.0, 1), faded(saturation)).terms[:3, 2, 2]
    wanted = torch.eye(3) if saturation else torch.tensor(LUMA)[:, None].expand(3, 3)
    np.testing.assert_allclose(terms, wanted, atol=1e-5)


def test_a_ridge_of_fourteen_levels() -> None:
    """Slopes are half the photo's and half the network's where light varies by that, (14 / 255)^2."""
    fine = torch.tensor([0.5, -0.5]).repeat(40, 30)[..., None].expand(40, 60, 3) * 2 * (0.003 / 3) ** 0.5
    small = 0.5 + fine
    terms = fit(small, 0.5 + 0.4 * fine, torch.ones(40, 60, 1), None).terms[:3]
    np.testing.assert_allclose(terms.sum(0), 0.7, atol=1e-3)


@pytest.mark.parametrize("step", [0.25, 2.0])
def test_the_ridge_is_in_the_measure_of_the_photo(step: float) -> None:
    """A photo in another space, where the same contrast takes other numbers, gets the same slopes."""
    small, look = picture(), picture() ** 1.5
    gain = torch.full((60, 90, 1), 0.8)
    wanted = fit(small, look, gain, None).terms
    terms = fit(small * step, look * step, gain, None, torch.full((60, 90, 3), step)).terms
    np.testing.assert_allclose(terms[:3], wanted[:3], atol=1e-4)
    np.testing.assert_allclose(terms[3], step * wanted[3], atol=1e-4)


def test_what_detail_takes_of_other_channels_is_in_the_measure_of_each() -> None:
    """Flat places of a photo whose red takes half as large numbers: what luma adds to red is half as much,
    and what red adds to luma counts twice."""
    measure = torch.tensor([0.5, 1.0, 1.0])
    terms = fit(flat(0.5), flat(0.5), flat(1.0, 1), faded(0.0), measure.expand(20, 30, 3)).terms[:3, 2, 2]
    wanted = torch.tensor(LUMA)[:, None] * measure / measure[:, None]
    np.testing.assert_allclose(terms, wanted, atol=1e-5)


def test_maps_of_neighbours_differ_smoothly() -> None:
    """They are enlarged linearly: a kink of more would show in a sky."""
    gain = torch.cat([torch.full((40, 40, 1), 0.5), torch.full((40, 40, 1), 1.5)], dim=1)
    red = fit(torch.full((40, 80, 3), 0.5), torch.full((40, 80, 3), 0.5), gain, None).terms[0, 5, :, 0]
    assert float(red.diff(n=2).abs().max()) <= 0.041
    assert float(red[-1] - red[0]) == pytest.approx(1)


def test_a_photo_without_colour_is_solved_to_the_last_digit() -> None:
    """All three channels are one: the matrix to be solved is all but singular."""
    small = torch.from_numpy(np.random.default_rng(1).random((60, 90, 1)).astype(np.float32)).expand(
        60, 90, 3
    )
    terms = fit(small, small * 0.5, torch.ones(60, 90, 1), None).terms
    three_times = 3 * float(small[..., 0].var())
    wanted = (0.5 * three_times + 0.003) / (three_times + 0.003)
    np.testing.assert_allclose(terms[:3].sum(0).mean((0, 1)), wanted, atol=1e-3)
    assert float(terms[:3].sum(0).std(dim=2).max()) < 1e-6


def test_memory_grows_with_the_photo_not_with_its_square() -> None:
    """A scroll: a matrix of (places, places) would take 40 GB."""
    strip = torch.full((4, 400_000, 3), 0.5)
    terms = fit(strip, strip, torch.ones(4, 400_000, 1), None).terms
    assert terms.shape == (4, 1, 100_000, 3)


def test_a_glow_beside_an_edge_goes() -> None:
    """Orange walls become white, and a network of 8-pixel cells lets that leak into the dark beside them."""
    small = torch.tensor([0.05, 0.08, 0.10]).repeat(96, 96, 1)
    small[:, 48:] = torch.tensor([0.80, 0.45, 0.10])
    glow = torch.exp(-(47 - torch.arange(96.0)).clip(min=0) / 4)[:, None] * torch.tensor([0.05, 0.1, 0.2])
    look = torch.tensor([0.10, 0.11, 0.12]) + glow.expand(96, 96, 3).clone()
    look[:, 48:] = torch.tensor([0.75, 0.75, 0.8])
    terms = fit(small, look, torch.ones(96, 96, 1), None).terms
    dark = applied(terms, small[0, 0])[:, :12]
    before, after = (np.ptp(side.numpy(), axis=1).max() for side in (look[:, :48], dark))
    assert before > 0.15
    assert after < before / 2
    lit = applied(terms, small[0, 60])[:, 12:]
    np.testing.assert_allclose(lit, torch.tensor([0.75, 0.75, 0.8]).expand_as(lit), atol=0.02)


def test_it_is_the_guided_filter_of_the_paper_but_for_its_ridge() -> None:
    """Window by window with a solver, in float64, on pixels whose cells are whole."""
    numbers = np.random.default_rng(9)
    small, look = numbers.random((2, 24, 36, 3))
    gain, colour = numbers.random((24, 36, 1)), numbers.random((24, 36, 4))
    slopes = np.empty((6, 9, 4, 3))
    for i, j in np.ndindex(6, 9):
        window = np.s_[max(0, 4 * i - 8) : 4 * i + 12, max(0, 4 * j - 8) : 4 * j + 12]
        x, y = small[window].reshape(-1, 3), look[window].reshape(-1, 3)
        kept, *added = colour[window].mean((0, 1))
        target = gain[window].mean() * (kept * np.eye(3) + np.outer(LUMA, added))
        centred = x - x.mean(0)
        covariance, cross = centred.T @ centred / len(x), centred.T @ (y - y.mean(0)) / len(x)
        a = np.linalg.solve(covariance + RIDGE * np.eye(3), cross + RIDGE * target)
        slopes[i, j] = np.concatenate([a, [y.mean(0) - x.mean(0) @ a]])
    wanted = np.empty_like(slopes)
    for i, j in np.ndindex(6, 9):
        wanted[i, j] = slopes[max(0, i - 2) : i + 3, max(0, j - 2) : j + 3].mean((0, 1))
    images = (torch.from_numpy(image.astype(np.float32)) for image in (small, look, gain, colour))
    np.testing.assert_allclose(fit(*images).terms.permute(1, 2, 0, 3), wanted, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_it_turns_with_the_photo(axis: int) -> None:
    numbers = np.random.default_rng(5)
    small, look = torch.from_numpy(numbers.random((2, 37, 50, 3)).astype(np.float32))
    more = torch.from_numpy(numbers.random((37, 50, 5)).astype(np.float32))
    images = small, look, more[..., :1], more[..., 1:]
    straight, turned = fit(*images).terms, fit(*(image.flip(axis) for image in images)).terms
    np.testing.assert_allclose(turned.flip(1 + axis), straight, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (16, 2), (5, 5)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_tiny_and_flat_photos_give_numbers(shape: tuple[int, int], value: float) -> None:
    small, gain = torch.full((*shape, 3), value), torch.ones(*shape, 1)
    terms = fit(small, small / 2, gain, gain.expand(*shape, 4)).terms
    assert terms.isfinite().all()
    np.testing.assert_allclose(applied(terms, small[0, 0]), value / 2, atol=1e-5)
