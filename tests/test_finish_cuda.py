"""The GPU's passes agree with the CPU's: in Triton's interpreter, or on a GPU where there is one."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
import torch

CUDA = torch.cuda.is_available()
if not CUDA:
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are defined
pytest.importorskip("triton")

from lptn_cli import finish, finish_cuda  # noqa: E402
from tests.conftest import photo  # noqa: E402

DEVICE = torch.device("cuda" if CUDA else "cpu")
SHAPES = [((37, 61), 12), ((40, 30), 30), ((50, 23), 9)]  # a photo, its small image's shorter side


@pytest.mark.parametrize(("shape", "short_side"), SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_shrink_is_an_area_average(shape: tuple[int, int], short_side: int, dtype: str) -> None:
    pixels = photo(*shape, dtype)
    height, width = finish.small_size(pixels.shape, short_side)
    values = (pixels / np.iinfo(dtype).max).astype(np.float32)
    wanted = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    small = finish_cuda.OnCUDA(pixels, DEVICE).shrunk(short_side)
    np.testing.assert_allclose(small, wanted, atol=1e-5)


@pytest.mark.parametrize(("shape", "short_side"), SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_finish_agrees_with_the_cpu(shape: tuple[int, int], short_side: int, dtype: str) -> None:
    pixels = photo(*shape, dtype)
    size = (*finish.small_size(pixels.shape, short_side), 3)
    numbers = np.random.default_rng(4)
    a, b = (numbers.normal(mean, 0.2, size).astype(np.float32) for mean in (1, 0))
    wanted = finish.finish(pixels, a, b)
    result = finish_cuda.OnCUDA(pixels, DEVICE).finished(a, b)
    assert result.dtype == pixels.dtype
    difference = np.abs(result.astype(int) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02


def test_gain_one_and_offset_zero_give_the_photo_itself() -> None:
    pixels = photo(33, 47, "uint16")
    a = np.ones((10, 14, 3), np.float32)
    result = finish_cuda.OnCUDA(pixels, DEVICE).finished(a, np.zeros_like(a))
    np.testing.assert_array_equal(result, pixels)
