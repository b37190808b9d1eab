"""A look applied: exact at strength 0, the same at every size, upright, in the file's colours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lptn_cli import Retoucher, translate
from lptn_cli.codecs.image import Pixels
from lptn_cli.cores import CORES
from lptn_cli.errors import NoMemoryError, TooSmallError
from lptn_cli.luma import LUMA
from lptn_cli.orientation import turn_back, turn_upright
from lptn_cli.preset import Preset
from lptn_cli.translate import OnCPU, _array, _tensor, load_network
from tests.conftest import photo


def psnr(result: NDArray[Any], wanted: NDArray[Any]) -> float:
    top = np.iinfo(result.dtype).max
    return float(-10 * np.log10(np.mean(((result.astype(float) - wanted) / top) ** 2)))


def shrunk(pixels: Any, short_side: int) -> Any:
    ratio = short_side / min(pixels.shape[:2])
    size = (round(pixels.shape[1] * ratio), round(pixels.shape[0] * ratio))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_strength_zero_is_the_photo_itself(look: Retoucher, published: Retoucher, dtype: str) -> None:
    pixels = photo(150, 220, dtype)
    for retoucher in (look, published):
        result = retoucher(pixels, strength=0)
        assert result.dtype == pixels.dtype
        assert result is not pixels
        np.testing.assert_array_equal(result, pixels)


def test_the_look_is_visible_and_input_is_not_changed(look: Retoucher) -> None:
    pixels = photo(150, 220)
    before = pixels.copy()
    result = look(pixels)
    assert result.mean() < pixels.mean() - 10
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("short_side", [80, 200, 600])
def test_same_look_at_every_size(look: Retoucher, short_side: int) -> None:
    large: Any = cv2.GaussianBlur(photo(1200, 1700), (0, 0), 2)
    assert psnr(shrunk(look(large), short_side), look(shrunk(large, short_side))) > 38


def test_side_by_side_a_photo_has_one_core(preset: Preset) -> None:
    """And the result is that of all cores, but for float rounding."""
    threads = torch.get_num_threads()
    pixels = photo(400, 600)
    alone = Retoucher(preset, "cpu")
    wanted = alone(pixels).astype(int)
    try:
        together = Retoucher(preset, "cpu", side_by_side=True)
        assert (alone.photos_at_once, together.photos_at_once) == (1, CORES)
        assert torch.get_num_threads() == 1
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(together, [pixels] * 8))
    finally:
        torch.set_num_threads(threads)
    assert all((result == results[0]).all() for result in results)
    assert np.abs(results[0] - wanted).max() <= 1


def test_8_and_16_bits_agree(look: Retoucher) -> None:
    pixels = photo(150, 220)
    deep = look(pixels.astype(np.uint16) * 257)
    assert np.abs(deep / 257 - look(pixels)).max() <= 2


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.5])
def test_strength_moves_evenly(look: Retoucher, strength: float) -> None:
    pixels = (photo(150, 220) // 2 + 80).astype(np.uint8)  # far from black and white: nothing is clamped
    whole = look(pixels, strength=1.0).astype(float) - pixels
    part = look(pixels, strength=strength).astype(float) - pixels
    off = part - strength * whole
    if strength > 1:  # brightness goes on evenly, and takes colour with it
        off = off @ np.array(LUMA)
    assert np.abs(off).max() <= 2.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_network_sees_the_photo_upright(look: Retoucher, orientation: int) -> None:
    upright = photo(150, 220)
    stored: Any = np.ascontiguousarray(turn_back(upright, orientation))
    result: Any = look(stored, orientation=orientation)
    assert np.abs(turn_upright(result, orientation).astype(float) - look(upright)).max() <= 1


@pytest.mark.parametrize(
    ("orientation", "corner"),
    # where the corner that is stored first (row 0, column 0) is to be seen: TIFF 6.0, tag 274
    [
        (1, (0, 0)),
        (2, (0, -1)),
        (3, (-1, -1)),
        (4, (-1, 0)),
        (5, (0, 0)),
        (6, (0, -1)),
        (7, (-1, -1)),
        (8, (-1, 0)),
    ],
)
def test_convention_of_orientation(orientation: int, corner: tuple[int, int]) -> None:
    stored = np.zeros((4, 6, 3), np.float32)
    stored[0, 0] = 1.0
    upright = turn_upright(stored, orientation)
    assert upright.shape[:2] == ((6, 4) if orientation >= 5 else (4, 6))
    assert upright[corner].max() == 1.0
    np.testing.assert_array_equal(turn_back(upright, orientation), stored)


@pytest.mark.parametrize("shape", [(17, 4000), (4000, 17), (64, 64), (33, 50)])
def test_extreme_shapes(look: Retoucher, shape: tuple[int, int]) -> None:
    assert look(photo(*shape)).shape == (*shape, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (15, 15), (15, 900)])
def test_too_small_is_said(look: Retoucher, published: Retoucher, shape: tuple[int, int]) -> None:
    for retoucher in (look, published):
        with pytest.raises(TooSmallError, match="16 pixels"):
            retoucher(photo(*shape))


def test_flat_grey_stays_flat_to_the_border(look: Retoucher) -> None:
    result = look(np.full((300, 400, 3), 128, np.uint8))
    assert int(np.ptp(result.reshape(-1, 3), axis=0).max()) <= 1


def test_other_arrays_are_refused(look: Retoucher) -> None:
    wrongs: list[Any] = [photo(50, 50)[..., 0], photo(50, 50).astype(np.float32)]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="uint8 or uint16"):
            look(wrong)


def test_published_way_is_the_network_on_every_pixel(published: Retoucher) -> None:
    pixels = photo(96, 120)
    whole = _tensor(np.divide(pixels, 255, dtype=np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        wanted = _array(load_network(published.preset)(whole))
    np.testing.assert_array_equal(published(pixels), np.rint(wanted.clip(0, 1) * 255).astype(np.uint8))


def test_the_preset_is_found_by_path(preset: Preset, look: Retoucher) -> None:
    pixels = photo(100, 90)
    np.testing.assert_array_equal(Retoucher(preset.path, "cpu")(pixels), look(pixels))


def test_from_the_package(preset: Preset) -> None:
    import lptn_cli

    assert lptn_cli.Retoucher is Retoucher
    assert Path(lptn_cli.__file__).is_file()


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -0.1, 1.51])
def test_how_far_a_look_goes_is_within_bounds(look: Retoucher, amount: float) -> None:
    too_far: list[dict[str, Any]] = [{"strength": amount}, {"light": amount}, {"color": amount}]
    for options in too_far:
        with pytest.raises(ValueError, match=r"0 to 1\.5"):
            look(photo(40, 40), **options)
    with pytest.raises(ValueError, match="pixels must be"):
        look(np.zeros((0, 0, 3), np.uint8))
    for orientation in (-1, 0, 9):
        with pytest.raises(ValueError, match="orientation must be 1 to 8"):
            look(photo(40, 40), orientation=orientation)


def test_pixels_that_may_not_be_written_are_copied(look: Retoucher, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of np.asarray(PIL.Image): Numba would compile its loops anew for them, torch would warn."""
    seen: list[bool] = []
    placed = OnCPU

    def watched(pixels: Pixels, threads: int) -> OnCPU:
        seen.append(pixels.flags.writeable)
        return placed(pixels, threads)

    monkeypatch.setattr(translate, "OnCPU", watched)
    pixels = photo(100, 90)
    expected = look(pixels)
    pixels.flags.writeable = False
    np.testing.assert_array_equal(look(pixels), expected)
    assert seen == [True, True] and not pixels.flags.writeable


def test_out_of_memory_is_told_whoever_ran_out(look: Retoucher, monkeypatch: pytest.MonkeyPatch) -> None:
    causes = [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        cv2.error("OpenCV: (-4:Insufficient memory) Failed to allocate 9 bytes"),
    ]
    for cause in causes:

        def fail(*_: object, cause: Exception = cause) -> None:
            raise cause

        monkeypatch.setattr("lptn_cli.translate.shrink", fail)
        with pytest.raises(NoMemoryError, match="fewer --jobs"):
            look(photo(40, 40))

    def misread(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("lptn_cli.translate.shrink", misread)
    with pytest.raises(RuntimeError, match="illegal"):
        look(photo(40, 40))
    monkeypatch.setattr("lptn_cli.translate.shrink", lambda *_: [][1])
    with pytest.raises(IndexError):
        look(photo(40, 40))


@pytest.mark.parametrize("cut", ["crop", "mirror", "planar", "read-only"])
def test_any_layout_in_memory_gives_the_same_result(look: Retoucher, cut: str) -> None:
    pixels = photo(120, 160)
    view = {
        "crop": photo(120, 200)[:, 20:180],
        "mirror": pixels[:, ::-1],
        "planar": np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0),
        "read-only": pixels.copy(),
    }[cut]
    if cut == "read-only":
        view.flags.writeable = False
    np.testing.assert_array_equal(look(view), look(view.copy(order="C")))
