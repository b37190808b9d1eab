"""The Laplacian pyramid's conventions, each pinned by the test of its name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from lptn_cli.pyramid import decompose, enlarge_by_two, reconstruct, shrink_by_two


def image(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((1, 3, height, width), np.float32))


def as_array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 48), (96, 128)])
def test_kernel_is_that_of_opencv(height: int, width: int) -> None:
    x = image(height, width)
    np.testing.assert_allclose(as_array(shrink_by_two(x)), cv2.pyrDown(as_array(x)), atol=3e-7)
    wide = as_array(enlarge_by_two(x, (2 * height, 2 * width)))
    np.testing.assert_allclose(wide, cv2.pyrUp(as_array(x)), atol=3e-7)


def test_kernel_border_reflects_without_the_edge() -> None:
    x = torch.zeros(1, 1, 1, 8)
    x[..., 1] = 1.0  # position 0 sees it at distance 1 on both sides: 4/16 twice
    assert shrink_by_two(x)[0, 0, 0, 0] == pytest.approx(8 / 16)


def test_odd_size_shrinks_to_ceil_and_enlarges_by_crop() -> None:
    highs, low = decompose(image(101, 75), 3)
    assert [tuple(h.shape[-2:]) for h in highs] == [(101, 75), (51, 38), (26, 19)]
    assert tuple(low.shape[-2:]) == (13, 10)
    even = enlarge_by_two(low, (26, 20))
    assert torch.equal(enlarge_by_two(low, (25, 19)), even[:, :, :25, :19])


def test_order_is_finest_first() -> None:
    highs, low = decompose(image(64, 64), 4)
    sides = [h.shape[-1] for h in highs] + [low.shape[-1]]
    assert sides == [64, 32, 16, 8, 4]


@pytest.mark.parametrize("num_high", [1, 3, 5])
@pytest.mark.parametrize(
    "size", [(16, 16), (17, 31), (101, 75), (240, 359), (16, 1), (1, 1), (2, 3), (17, 400)]
)
def test_identity_at_any_size(size: tuple[int, int], num_high: int) -> None:
    x = image(*size)
    assert (reconstruct(*decompose(x, num_high)) - x).abs().max() <= 1e-6


def test_flat_image_has_no_highs() -> None:
    highs, low = decompose(torch.full((1, 3, 37, 52), 0.3), 3)
    assert max(float(h.abs().max()) for h in highs) < 1e-6
    assert torch.allclose(low, torch.tensor(0.3))
