"""What a look leaves out: black and white stays so where the preset keeps it; what is hidden has no say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lptn_cli import Retoucher
from lptn_cli.alpha import as_seen
from lptn_cli.luma import luma
from lptn_cli.preset import Preset
from tests.conftest import photo


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_black_and_white_stays_so_under_a_preset_that_keeps_it(
    preset: Preset, dtype: str, orientation: int
) -> None:
    """Also in three channels, as most black and white JPEGs have."""
    grey = np.repeat(photo(100, 150, dtype)[..., :1], 3, axis=2)
    keeping = Retoucher(replace(preset, keeps_grey=True), "cpu")
    plain = Retoucher(preset, "cpu")
    kept = keeping(grey, orientation=orientation)
    np.testing.assert_array_equal(kept, kept[..., :1].repeat(3, axis=2))
    tinted = plain(grey, orientation=orientation)
    scale = np.iinfo(grey.dtype).max / 255
    assert np.ptp(tinted.astype(int), axis=2).mean() > 4 * scale
    assert abs(kept.mean() - luma(tinted.astype(np.float32)).mean()) < scale
    colour = photo(100, 150, dtype)
    np.testing.assert_array_equal(keeping(colour), plain(colour))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_alpha_hides_has_no_say_in_the_look(look: Retoucher, dtype: str) -> None:
    pixels = photo(120, 160, dtype)
    most = np.iinfo(pixels.dtype).max
    alpha = np.full((120, 160), most, pixels.dtype)
    np.testing.assert_array_equal(look(pixels, alpha=alpha), look(pixels))
    alpha[:, :90] = 0
    results = []
    for hidden in (0, most):
        filled = pixels.copy()
        filled[:, :90] = hidden
        results.append(look(filled, alpha=alpha)[:, 90:])
    np.testing.assert_array_equal(results[0], results[1])
    assert look(pixels, alpha=np.zeros_like(alpha)).shape == pixels.shape
    wrongs: list[Any] = [alpha[1:], alpha.astype(np.float32)]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="alpha must be"):
            look(pixels, alpha=wrong)


def test_at_full_resolution_too_black_and_white_stays_and_what_is_hidden_has_no_say(
    published: Retoucher,
) -> None:
    grey = np.repeat(photo(100, 150)[..., :1], 3, axis=2)
    kept = Retoucher(replace(published.preset, keeps_grey=True), "cpu")(grey)
    np.testing.assert_array_equal(kept, kept[..., :1].repeat(3, axis=2))
    pixels = photo(120, 160)
    alpha = np.full((120, 160), 255, np.uint8)
    alpha[:, :90] = 0
    results = []
    for hidden in (0, 255):
        filled = pixels.copy()
        filled[:, :90] = hidden
        results.append(published(filled, alpha=alpha)[:, 90:])
    np.testing.assert_array_equal(results[0], results[1])
    with pytest.raises(ValueError, match="alpha must be"):
        published(pixels, alpha=alpha[1:])


def test_what_shines_through_counts_as_far_as_it_is_seen() -> None:
    pixels = np.array([[[200, 100, 0], [100, 100, 100], [0, 0, 0]]], np.uint8)
    alpha = np.array([[255, 255, 0]], np.uint8)
    expected = [[[200, 100, 0], [100, 100, 100], [150, 100, 50]]]
    np.testing.assert_array_equal(as_seen(pixels, alpha), expected)
    half = as_seen(pixels[:, :2], np.array([[255, 51]], np.uint8))
    np.testing.assert_array_equal(half, [[[200, 100, 0], [167, 100, 33]]])  # of a mean of (183, 100, 17)
