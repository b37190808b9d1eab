"""The two full-resolution passes: what they promise to the pixel."""

from __future__ import annotations

import importlib
import sys
from functools import cache

import cv2
import numpy as np
import pytest

from lptn_cli import finish as finishing
from lptn_cli.affine import Affine, FloatImage
from lptn_cli.finish import finish, shrink
from lptn_cli.luma import LUMA, luma
from tests.conftest import photo


@pytest.fixture(params=["numba", "opencv"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every promise is kept by the compiled loop and by OpenCV, where Numba is missing."""
    way: str = request.param
    if way == "opencv":
        monkeypatch.setitem(sys.modules, "lptn_cli.fused", None)
    else:
        pytest.importorskip("numba")
    monkeypatch.setattr(finishing, "loops", cache(finishing.loops.__wrapped__))
    assert isinstance(finishing.loops(), finishing.OpenCVLoops) == (way == "opencv")
    return way


def everywhere(gain: float, offset: float, saturation: float = 1) -> Affine[FloatImage]:
    """gain * photo + offset, of a photo with that share of its colour left."""
    faded = saturation * np.eye(3) + (1 - saturation) * np.array(LUMA)[:, None]
    matrix = np.concatenate([gain * faded, np.full((1, 3), offset)])
    return Affine(np.broadcast_to(matrix[:, None, None], (4, 20, 30, 3)).astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [(200, 300), (101, 75), (1, 40), (40, 1), (65, 3)])
def test_gain_one_and_offset_zero_give_the_photo_itself(size: tuple[int, int], dtype: str) -> None:
    pixels = photo(*size, dtype)
    result = finish(pixels, everywhere(1, 0))
    assert result.dtype == pixels.dtype
    np.testing.assert_array_equal(result, pixels)


def test_long_strips_shrink_further_so_that_the_network_never_sees_more() -> None:
    assert finishing.small_size((480, 480 * 32), 240) == (240, 240 * 32)
    assert finishing.small_size((100, 250_000), 240) == (32, 80_000)  # networks see no less
    for shape in ((480, 480 * 33), (240, 100_000), (400_000, 300), (100, 9000)):
        height, width = finishing.small_size(shape, 240)
        assert height * width <= 1.01 * 32 * 240**2
        assert height / width == pytest.approx(shape[0] / shape[1], rel=0.02)
    assert finishing.small_size((100, 9000), 240) == (100, 9000)  # never enlarged


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_result_is_clamped_and_rounded_to_the_nearest(dtype: str) -> None:
    top = np.iinfo(dtype).max
    pixels = photo(90, 130, dtype)
    result = finish(pixels, everywhere(1.6437, -0.2))
    wanted = np.rint(np.clip(pixels / top * 1.6437 - 0.2, 0, 1) * top)
    assert np.abs(result.astype(float) - wanted).max() <= 1  # float32 may round a tie the other way
    assert (result != wanted).mean() < 0.01


def test_enlargement_is_that_of_cv2_resize() -> None:
    """Strips and matrix products are only another way to say: linear, centres aligned."""
    numbers = np.random.default_rng(0)
    terms: FloatImage = numbers.random((4, 17, 23, 3), np.float32) / np.float32(4)
    pixels = photo(301, 205, "uint16")
    red, green, blue, offset = (cv2.resize(t, (205, 301), interpolation=cv2.INTER_LINEAR) for t in terms)
    r, g, b = (pixels[..., channel : channel + 1] for channel in range(3))
    wanted = red * r + green * g + blue * b + offset * 65535
    np.testing.assert_allclose(finish(pixels, Affine(terms)), wanted, atol=1)


def test_smooth_gradient_of_16_bits_keeps_its_levels() -> None:
    ramp = np.linspace(0, 65535, 6000).astype(np.uint16)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (40, 6000, 3)))
    result = finish(pixels, everywhere(0.8, 0.1))
    assert len(np.unique(result)) > 4000


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_shrink_is_the_area_average(dtype: str) -> None:
    pixels = photo(240, 360, dtype)
    small = shrink(pixels, 60)
    blocks = pixels.reshape(60, 4, 90, 4, 3).mean(axis=(1, 3)) / np.iinfo(dtype).max
    assert small.shape == (60, 90, 3)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, blocks, atol=0.51 / np.iinfo(dtype).max)


def test_the_number_of_threads_changes_nothing(way: str) -> None:
    pixels = photo(700, 300)
    small = shrink(pixels, 60, threads=1)
    look = Affine(np.stack([small, small - 0.5, small / 2, small - 0.2]))
    for threads in (2, 5):
        np.testing.assert_array_equal(shrink(pixels, 60, threads), small)
        np.testing.assert_array_equal(finish(pixels, look, threads), finish(pixels, look, 1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("saturation", [0.0, 0.35, 1.0])
def test_a_faded_photo_is_finished_as_if_it_had_been_faded_before(saturation: float, dtype: str) -> None:
    top = np.float32(np.iinfo(dtype).max)
    pixels = photo(90, 130, dtype)
    result = finish(pixels, everywhere(0.8, 0.1, saturation))
    values = np.divide(pixels, top, dtype=np.float32)
    wanted = (luma(values) * (1 - saturation) + values * saturation) * 0.8 + 0.1
    assert np.abs(result - wanted * top).max() <= 0.51 + top * 1e-6
    assert saturation > 0 or (np.ptp(result.astype(int), axis=2) <= 1).all()


def test_equal_channels_stay_equal_to_the_bit() -> None:
    """Black and white in three channels: every channel goes through the same arithmetic."""
    numbers = np.random.default_rng(2)
    terms: FloatImage = np.repeat(numbers.random((4, 17, 23, 1), np.float32) / np.float32(4), 3, axis=3)
    pixels = np.repeat(photo(301, 205)[..., :1], 3, axis=2)
    assert np.ptp(finish(pixels, Affine(terms)), axis=2).max() == 0


def test_shrink_never_enlarges() -> None:
    pixels = photo(50, 80)
    np.testing.assert_allclose(shrink(pixels, 240), pixels / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(17, 4000), (1, 900), (900, 1)])
def test_shrink_of_extreme_shapes(shape: tuple[int, int]) -> None:
    assert min(shrink(photo(*shape), 16).shape[:2]) >= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_both_ways_agree(way: str, dtype: str) -> None:
    if way == "opencv":
        pytest.skip("compared once")
    terms = np.random.default_rng(3).normal(0.3, 0.3, (4, 24, 501, 3)).astype(np.float32)
    pixels = photo(333, 501, dtype)
    terms[3] *= np.iinfo(dtype).max
    fused = importlib.import_module("lptn_cli.fused")
    results = [
        apply(pixels, list(terms), *finishing._between_rows(333, 24), 2).astype(int)
        for apply in (fused.apply, finishing.OpenCVLoops().apply)
    ]
    difference = np.abs(results[0] - results[1])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("shape", [(101, 173), (97, 50)])
def test_a_pixel_on_a_border_counts_on_both_sides_by_its_parts(way: str, shape: tuple[int, int]) -> None:
    pixels = photo(*shape, "uint16")
    height, width = finishing.small_size(pixels.shape, 23)
    wanted = cv2.resize(pixels / np.float32(65535), (width, height), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(shrink(pixels, 23), wanted, atol=1e-5)
