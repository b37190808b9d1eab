"""What runs on an NVIDIA GPU gives what the CPU gives. `make gpu-check` runs these; else they are skipped."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from lptn_cli import preset as presets
from lptn_cli.network import LPTN
from lptn_cli.translate import Retoucher
from tests.conftest import photo

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
SHIPPED = sorted(path.stem for path in (Path(__file__).parents[1] / "presets").glob("*.toml"))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_look_is_the_same_on_both_devices(name: str, dtype: str) -> None:
    pixels = photo(1080, 1620, dtype)
    shipped = presets.read(Path(__file__).parents[1] / "presets" / f"{name}.toml")
    on_cpu, on_gpu = (Retoucher(shipped, device)(pixels).astype(int) for device in ("cpu", "cuda"))
    level = 1 if dtype == "uint8" else 257
    difference = np.abs(on_cpu - on_gpu)
    assert (difference <= level).mean() >= 0.999
    assert difference.max() <= 8 * level


def test_the_network_at_full_resolution_is_the_same_on_both_devices() -> None:
    network = LPTN().eval()
    image = torch.rand(1, 3, 256, 384, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        on_cpu = network(image)
        on_gpu = network.cuda()(image.cuda()).cpu()
    assert torch.allclose(on_cpu, on_gpu, atol=2e-3)


def test_a_look_that_was_captured_in_inference_mode_is_there_outside() -> None:
    pixels, look = photo(270, 405), Retoucher("retouch", "cuda")
    with torch.inference_mode():
        inside = [look(pixels) for _ in range(6)]  # the later ones are replays of a graph
    outside = look(pixels)
    assert all(np.array_equal(one, outside) for one in inside[3:])


def test_graphs_go_with_their_look() -> None:
    pixels, look = photo(270, 405), Retoucher("retouch", "cuda")
    for _ in range(5):
        look(pixels)
    graphs = weakref.ref(look._look_on_cuda._work)
    del look
    assert graphs() is None
