"""The two full-resolution passes: what they promise to the pixel."""

from __future__ import annotations

import importlib
import sys
from functools import cache

import cv2
import numpy as np
import pytest

from lptn_cli import finish as finishing
from lptn_cli.affine import Affine, FloatImage, fit_affine
from lptn_cli.finish import finish, fit, shrink, window_mean
from lptn_cli.luma import fade
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


def constant(value: float, height: int = 20, width: int = 30) -> FloatImage:
    return np.full((height, width, 3), value, np.float32)


ITSELF = Affine(constant(1), constant(0))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [(200, 300), (101, 75), (1, 40), (40, 1), (65, 3)])
def test_gain_one_and_offset_zero_give_the_photo_itself(size: tuple[int, int], dtype: str) -> None:
    pixels = photo(*size, dtype)
    result = finish(pixels, ITSELF)
    assert result.dtype == pixels.dtype
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_result_is_clamped_and_rounded_to_the_nearest(dtype: str) -> None:
    top = np.iinfo(dtype).max
    pixels = photo(90, 130, dtype)
    result = finish(pixels, Affine(constant(1.6437), constant(-0.2)))
    wanted = np.rint(np.clip(pixels / top * 1.6437 - 0.2, 0, 1) * top)
    assert np.abs(result.astype(float) - wanted).max() <= 1  # float32 may round a tie the other way
    assert (result != wanted).mean() < 0.01


def test_enlargement_is_that_of_cv2_resize() -> None:
    """Strips and matrix products are only another way to say: linear, centres aligned."""
    numbers = np.random.default_rng(0)
    b = numbers.random((17, 23, 3)).astype(np.float32)
    pixels = np.zeros((301, 205, 3), np.uint16)
    wanted = cv2.resize(b, (205, 301), interpolation=cv2.INTER_LINEAR) * 65535
    np.testing.assert_allclose(finish(pixels, Affine(constant(0, 17, 23), b)), wanted, atol=1)


def test_smooth_gradient_of_16_bits_keeps_its_levels() -> None:
    ramp = np.linspace(0, 65535, 6000).astype(np.uint16)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (40, 6000, 3)))
    result = finish(pixels, Affine(constant(0.8), constant(0.1)))
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
    kept = Affine(small + 0.5, small - 0.5)
    for look in (kept, kept.fading(small[..., :1])):
        for threads in (2, 5):
            np.testing.assert_array_equal(shrink(pixels, 60, threads), small)
            np.testing.assert_array_equal(finish(pixels, look, threads), finish(pixels, look, 1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("saturation", [0.0, 0.35, 1.0])
def test_a_faded_photo_is_finished_as_if_it_had_been_faded_before(saturation: float, dtype: str) -> None:
    top = np.float32(np.iinfo(dtype).max)
    pixels = photo(90, 130, dtype)
    left = np.full((20, 30, 1), saturation, np.float32)
    result = finish(pixels, Affine(constant(0.8), constant(0.1)).fading(left))
    share: FloatImage = np.full((90, 130, 1), saturation, np.float32)
    wanted = fade(np.divide(pixels, top, dtype=np.float32), share) * 0.8 + 0.1
    assert np.abs(result - wanted * top).max() <= 0.51 + top * 1e-6
    assert saturation > 0 or (np.ptp(result.astype(int), axis=2) <= 1).all()


def test_shrink_never_enlarges() -> None:
    pixels = photo(50, 80)
    np.testing.assert_allclose(shrink(pixels, 240), pixels / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(17, 4000), (1, 900), (900, 1)])
def test_shrink_of_extreme_shapes(shape: tuple[int, int]) -> None:
    assert min(shrink(photo(*shape), 16).shape[:2]) >= 1


def test_fit_finds_the_gain_and_offset_that_are_there() -> None:
    small = np.divide(photo(60, 90), 255, dtype=np.float32)
    found = fit(small, small * np.float32(0.6) + np.float32(0.2), constant(0.6, 60, 90)[..., :1])
    np.testing.assert_allclose(found.a, 0.6, atol=1e-2)
    np.testing.assert_allclose(found.b, 0.2, atol=1e-2)
    assert found.of_luma is None


def test_fit_in_a_flat_area_takes_the_given_gain_and_keeps_the_mean() -> None:
    """A gain of zero there, as in He & Sun, would wipe out texture finer than the small image."""
    found = fit(constant(0.5), constant(0.3), np.full((20, 30, 1), 0.8, np.float32))
    np.testing.assert_allclose(found.a, 0.8, atol=1e-4)
    np.testing.assert_allclose(found.a * 0.5 + found.b, 0.3, atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 60), (3, 50), (16, 2), (1, 1)])
def test_every_way_to_fit_agrees(shape: tuple[int, int]) -> None:
    numbers = np.random.default_rng(5)
    small, look = numbers.random((2, *shape, 3)).astype(np.float32)
    gain = numbers.random((*shape, 1)).astype(np.float32)
    wanted, found = fit_affine(small, look, gain, window_mean), fit(small, look, gain)
    np.testing.assert_allclose(found.a, wanted.a, atol=1e-3)
    np.testing.assert_allclose(found.b, wanted.b, atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("fading", [False, True], ids=["kept", "faded"])
def test_both_ways_agree(way: str, dtype: str, fading: bool) -> None:
    if way == "opencv":
        pytest.skip("compared once")
    numbers = np.random.default_rng(3)
    a, b, c = numbers.normal(1, 0.3, (3, 24, 36, 3)).astype(np.float32)
    pixels = photo(333, 501, dtype)
    pytest.importorskip("numba")
    fused = importlib.import_module("lptn_cli.fused")
    results = []
    wide = [finishing._enlarge_columns(x, 501) for x in (a, (b - 1) * np.iinfo(dtype).max, c - 1)]
    look = Affine(*wide) if fading else Affine(*wide[:2])
    for apply in (fused.apply, finishing.OpenCVLoops().apply):
        results.append(apply(pixels, look, *finishing._between_rows(333, 24), 2).astype(int))
    difference = np.abs(results[0] - results[1])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("shape", [(101, 173), (97, 50)])
def test_a_pixel_on_a_border_counts_on_both_sides_by_its_parts(way: str, shape: tuple[int, int]) -> None:
    pixels = photo(*shape, "uint16")
    height, width = finishing.small_size(pixels.shape, 23)
    wanted = cv2.resize(pixels / np.float32(65535), (width, height), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(shrink(pixels, 23), wanted, atol=1e-5)
