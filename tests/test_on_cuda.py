"""The GPU's passes agree with the CPU's: in Triton's interpreter, or on a GPU where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from subprocess import CalledProcessError

import cv2
import numpy as np
import pytest
import torch

CUDA = torch.cuda.is_available()
if not CUDA:
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are defined
pytest.importorskip("triton")

from triton.runtime.errors import PTXASError  # noqa: E402

from lptn_cli import finish, on_cuda  # noqa: E402
from lptn_cli.affine import Affine, FloatImage  # noqa: E402
from lptn_cli.branches import Context  # noqa: E402
from lptn_cli.preset import Preset  # noqa: E402
from lptn_cli.translate import Retoucher  # noqa: E402
from tests.conftest import photo  # noqa: E402

DEVICE = torch.device("cuda" if CUDA else "cpu")
SHAPES = [((37, 61), 12), ((40, 30), 30), ((50, 23), 9)]  # a photo, its small image's shorter side


@pytest.fixture(scope="module", params=["kept", "faded", "recoloured"])
def look(request: pytest.FixtureRequest, preset: Preset) -> Retoucher:
    return Retoucher(replace(preset, detail_colour=request.param), "cpu")


def test_whatever_a_compiler_says_is_told_from_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not on_cuda.trouble_compiling(DEVICE)
    for error in (CalledProcessError(1, ["cc"]), PTXASError("ptxas"), OSError("no cc")):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(on_cuda, "shrink", fail)
        assert on_cuda.trouble_compiling(DEVICE)
    monkeypatch.setattr(on_cuda, "shrink", lambda *_: [][1])
    with pytest.raises(IndexError):
        on_cuda.trouble_compiling(DEVICE)


@pytest.mark.parametrize("capability", [75, 90])
def test_kernels_compile_for_a_gpu(capability: int) -> None:
    """What Triton's interpreter takes its compiler may refuse (annotations, for one)."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "error", "-m", "tests.compile_kernels", str(capability)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "compiled 12\n", done.stderr


@pytest.mark.parametrize(("shape", "short_side"), SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_shrink_is_an_area_average(shape: tuple[int, int], short_side: int, dtype: str) -> None:
    pixels = photo(*shape, dtype)
    height, width = finish.small_size(pixels.shape, short_side)
    values = (pixels / np.iinfo(dtype).max).astype(np.float32)
    wanted = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    small = on_cuda.OnCUDA(pixels, DEVICE).shrunk(short_side).cpu()
    np.testing.assert_allclose(small, wanted, atol=1e-5)


@pytest.mark.parametrize(("shape", "short_side"), SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_finish_agrees_with_the_cpu(shape: tuple[int, int], short_side: int, dtype: str) -> None:
    pixels = photo(*shape, dtype)
    size = (4, *finish.small_size(pixels.shape, short_side), 3)
    look = Affine(np.random.default_rng(4).normal(0.25, 0.2, size).astype(np.float32))
    wanted = finish.finish(pixels, look)
    result = on_cuda.OnCUDA(pixels, DEVICE).finished(look)
    assert result.dtype == pixels.dtype
    difference = np.abs(result.astype(int) - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02


def itself() -> Affine[FloatImage]:
    """The photo as it is."""
    return Affine(np.broadcast_to(np.eye(4, 3)[:, None, None], (4, 10, 14, 3)).astype(np.float32))


def test_a_look_that_is_the_photo_gives_the_photo_itself() -> None:
    pixels = photo(33, 47, "uint16")
    result = on_cuda.OnCUDA(pixels, DEVICE).finished(itself())
    np.testing.assert_array_equal(result, pixels)


def test_a_result_is_memory_of_its_own() -> None:
    pixels = photo(33, 47)
    on_device = on_cuda.OnCUDA(pixels, DEVICE)
    first = on_device.finished(itself())
    before = first.copy()
    on_device.finished(itself().mapped(np.zeros_like))
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("amounts", [(1.0, 1.0), (0.6, 1.3), (1.5, 1.5)], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_lies_between_the_passes_agrees_with_the_cpu(
    look: Retoucher, orientation: int, amounts: tuple[float, float]
) -> None:
    small = np.divide(photo(90, 130), 255, dtype=np.float32)
    on_device = on_cuda.LookOnCUDA(deepcopy(look._network).to(DEVICE), half=False)
    there = on_device.affine(torch.from_numpy(small).to(DEVICE), *amounts, orientation)
    here = look.affine(small, *amounts, orientation)
    np.testing.assert_allclose(there.terms.cpu(), here.terms, atol=2e-3)


def test_black_and_white_stays_so(look: Retoucher) -> None:
    small = torch.from_numpy(np.repeat(photo(40, 60)[..., :1], 3, axis=2) / np.float32(255)).to(DEVICE)
    network = deepcopy(look._network).to(DEVICE)
    kept, tinted = (
        on_cuda.LookOnCUDA(network, half=False, keeps_grey=keeps).affine(small, 1, 1, 1).terms
        for keeps in (True, False)
    )
    assert float(kept.std(dim=3).max()) == 0 < float(tinted.std(dim=3).max())


def test_half_precision_moves_one_value_in_a_thousand_by_more_than_a_level(look: Retoucher) -> None:
    """Where the processor has float16 convolutions; measured on shipped presets by benchmarks/gpu.py."""
    pixels = photo(40, 60)
    on_device = on_cuda.OnCUDA(pixels, DEVICE)
    small = on_device.shrunk(32)
    network = deepcopy(look._network).to(DEVICE)
    results = [
        on_device.finished(on_cuda.LookOnCUDA(network, half=half).affine(small, 1, 1, 1))
        for half in (False, True)
    ]
    difference = np.abs(results[0].astype(int) - results[1])
    assert difference.max() > 0  # half precision was at work
    assert (difference <= 1).mean() >= 0.999


def test_what_is_rare_or_cannot_be_captured_is_computed_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, ...]] = []

    def captured(self: on_cuda.Graphs, image: torch.Tensor, *constants: float) -> None:
        tried.append(tuple(image.shape))
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(on_cuda.Graphs, "_captured", captured)
    graphs = on_cuda.Graphs(lambda image, gain: Affine(image * gain))
    large, small = torch.ones(4, 6, 3), torch.ones(3, 3, 3)
    for n in range(1, 2 * on_cuda.COMMON + 1):
        assert torch.equal(graphs(large, 2.0).terms, 2 * large)
        assert torch.equal(graphs(small, n).terms, n * small)  # never the same again
        assert len(tried) == n // on_cuda.COMMON
    assert set(tried) == {(4, 6, 3)}


@pytest.mark.skipif(not CUDA, reason="needs a GPU")
def test_captures_never_take_the_stream_of_a_photo() -> None:
    graphs = on_cuda.Graphs(lambda image, gain: Affine(image * gain))
    image = torch.ones(4, 6, 3, device=DEVICE)
    for _ in range(on_cuda.COMMON + 1):
        assert torch.equal(graphs(image, 2.0).terms, 2 * image)
    assert graphs._side is not None
    photos = {torch.cuda.Stream().cuda_stream for _ in range(64)}  # type: ignore[no-untyped-call]
    assert graphs._side.cuda_stream not in photos


@pytest.mark.skipif(not CUDA, reason="needs a GPU")
def test_streams_are_lent_again() -> None:
    streams, seen = on_cuda.Streams(), set()
    for _ in range(5):
        with streams.use(DEVICE):
            seen.add(torch.cuda.current_stream().cuda_stream)
    assert len(seen) == 1


def test_the_first_common_sizes_become_graphs_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    captured: list[float] = []

    def capture(self: on_cuda.Graphs, image: torch.Tensor, strength: float) -> str:
        captured.append(strength)
        return "a graph"

    monkeypatch.setattr(on_cuda.Graphs, "_captured", capture)
    graphs, image = on_cuda.Graphs(lambda image, _: Affine(image)), torch.zeros(4, 4, 3)
    for _ in range(10):  # more sizes than graphs, in turn
        for n in range(on_cuda.GRAPHS + 8):
            graphs._graph((4, n), image, n)
    assert captured == list(range(on_cuda.GRAPHS))
    assert graphs._graph((4, 0), image, 0)


def test_one_photos_context_is_that_of_many_without_a_matrix_product(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(blocks=2).eval()
    found, photos = torch.rand(2, 64, 9, 12), torch.rand(2, 3, 72, 96)
    with torch.inference_mode():
        both = context(found, photos)
        monkeypatch.setattr(torch.nn.Linear, "forward", None)
        for n in (0, 1):
            alone = context(found[n : n + 1], photos[n : n + 1])
            for parts, wanted in zip(alone, both, strict=True):
                for part, one in zip(parts, wanted, strict=True):
                    torch.testing.assert_close(part, one[n : n + 1], atol=1e-5, rtol=1e-5)
