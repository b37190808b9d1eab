"""What does not fit into a GPU's memory is done on the CPU, and out of memory is known for what it is."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch

from lptn_cli.develop import Stopwatch, by_codecs, develop
from lptn_cli.errors import NoMemoryError
from lptn_cli.memory import memory_told
from lptn_cli.preset import Preset
from lptn_cli.settings import Settings
from lptn_cli.translate import Retoucher
from tests.developing import camera, few_cores, job


def test_a_photo_that_the_gpu_has_no_room_for_is_done_on_the_cpu_and_says_so(
    preset: Preset, settings: Settings
) -> None:
    class Full:
        """A look on a GPU that is full."""

        device, photos_at_once, scans = torch.device("cuda:1"), 1, True

        def __init__(self) -> None:
            self.preset, self.asked = preset, 0

        def __call__(self, *_: Any, **__: Any) -> None:
            self.asked += 1
            raise NoMemoryError("full")

        retouch_jpeg = __call__

    full: Any = Full()
    made = develop(job(), camera(), few_cores(full), settings, Stopwatch())
    assert full.asked == 2 and made.note == "did not fit on cuda:1; the CPU did it"
    wanted = by_codecs(job(), camera(), few_cores(Retoucher(preset, "cpu")), settings, Stopwatch())
    assert made.encoded == wanted.encoded


def test_a_photo_that_did_not_fit_leaves_the_gpu_before_the_cpu_does_it(
    look: Retoucher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[weakref.ref[Any]] = []
    left: list[object] = []

    class Full:
        device, photos_at_once, scans, preset = torch.device("cuda:1"), 1, None, look.preset

        def __call__(self, *_: Any, **__: Any) -> None:
            there = torch.zeros(3)
            taken.append(weakref.ref(there))
            raise NoMemoryError("full")

    full: Any = Full()
    ready = few_cores(full)

    def spare(pixels: Any, **_: Any) -> Any:
        left.extend(one() for one in taken)
        return pixels

    monkeypatch.setattr(ready, "_spare", spare)
    develop(job(), camera(), ready, settings, Stopwatch())
    assert left == [None]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
        MemoryError(),
    ],
)
def test_out_of_memory_is_known_whoever_says_it(error: Exception) -> None:
    with pytest.raises(NoMemoryError), memory_told():
        raise error
    with pytest.raises(RuntimeError, match="illegal"), memory_told():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
