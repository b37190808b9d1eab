"""`make gpu-check`: the CUDA tests, then what a 4K photo costs an NVIDIA GPU, ours and the published way.

    python -m benchmarks.gpu [--out $OUT]

GPU time is that between CUDA events, median of RUNS after warm-ups: shrink, network (with strength and fit,
one CUDA graph), finish; and the published network at full resolution, in one run. Wall time is of whole
photos, memory to memory; disk to disk is benchmarks/gpu_files.py. Writes OUT/gpu.json.

It takes two minutes. The machine needs torch, Triton and what lptn imports: carry wheels of simplejpeg and
imagecodecs to a bare one. For JPEGs on the GPU, which it can do without, also nvidia-nvimgcodec-cu13 and
nvidia-nvjpeg; all four are 56 MB, and 25 unpacked, without the modules of other Pythons, and packed by xz.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_files import disk_to_disk
from benchmarks.machine import machine, publish
from lptn_cli import Retoucher, finish_cuda
from lptn_cli.codecs.image import Pixels
from lptn_cli.finish import small_size
from lptn_cli.network import LPTN

RUNS = 30
FILES = 200  # from disk to disk
SHAPE = (2160, 3840, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu-check: no NVIDIA GPU here; tests/test_on_cuda.py runs the kernels without one")
        return 0
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/test_cuda.py",
        "tests/test_on_cuda.py",
        "tests/test_jpeg_on_cuda.py",
        "tests/test_develop.py",
    ]
    passed = subprocess.run(tests, check=False).returncode == 0
    publish({"what": "a 4K photo on a GPU", **_figures(), "tests_passed": passed}, options.out, "gpu")
    return 0 if passed else 1


def _figures() -> dict[str, object]:
    pixels = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    look, full = Retoucher("retouch", "cuda"), Retoucher("retouch", "cuda", half=False)
    photo = torch.from_numpy(pixels).cuda()
    size = small_size(SHAPE, look.preset.native_scale or 240)
    small = finish_cuda.shrink(photo, *size)
    maps: Any = look.affine(small)
    whole = photo.permute(2, 0, 1)[None].float() / 255
    published = LPTN(num_high=3, form="released").cuda().eval()
    with torch.inference_mode():
        stages = {
            "shrink": _gpu_ms(lambda: finish_cuda.shrink(photo, *size)),
            "network, half precision": _gpu_ms(lambda: look.affine(small)),
            "network, float32": _gpu_ms(lambda: full.affine(small)),
            "finish": _gpu_ms(lambda: finish_cuda.finish(photo, maps)),
            "published, full resolution": _gpu_ms(lambda: published(whole)),
        }
    on_cpu = Retoucher("retouch", "cpu")(pixels).astype(int)
    return {
        "machine": machine(),
        "gpu": torch.cuda.get_device_name(),
        "gpu_ms": stages,
        "wall_ms_a_photo": round(1000 * _wall(lambda: look(pixels)), 2),
        "photos_per_second_of_three_threads": round(_together(look, pixels), 1),
        "within_a_level_of_the_cpu": {
            name: round(float((np.abs(one(pixels).astype(int) - on_cpu) <= 1).mean()), 5)
            for name, one in (("half", look), ("float32", full))
        },
        "peak_mib_at_100_megapixels": _peak_mib(look),
        "disk_to_disk": disk_to_disk("cuda", FILES),
    }


def _together(look: Retoucher, pixels: Pixels) -> float:
    """Photos a second, memory to memory, of three threads that share the GPU and let each result go: one that
    is kept keeps its pinned memory, and the next photo waits for more."""

    def work(_: int) -> None:
        look(pixels)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(6)))
        started = time.perf_counter()
        list(pool.map(work, range(4 * RUNS)))
        return 4 * RUNS / (time.perf_counter() - started)


def _peak_mib(look: Retoucher) -> float:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    look(np.zeros((8192, 12288, 3), np.uint8))
    return round(torch.cuda.max_memory_reserved() / 2**20, 1)


def _gpu_ms(work: Callable[[], object]) -> float:
    for _ in range(5):
        work()
    spent: list[float] = []
    for _ in range(RUNS):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        before.record()
        work()
        after.record()
        torch.cuda.synchronize()
        spent.append(before.elapsed_time(after))
    return round(statistics.median(spent), 4)


def _wall(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


if __name__ == "__main__":
    sys.exit(main())
