"""Devices by name, and GPUs that are there and do not work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lptn_cli import device, doctor
from lptn_cli.device import find_device, trouble_of
from lptn_cli.errors import DeviceError
from lptn_cli.preset import Preset
from lptn_cli.translate import Retoucher
from tests.command import Retouch

TOO_OLD = "CUDA error: no kernel image is available for execution on the device"


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU that torch sees and has no code for."""

    def zeros(*size: int, device: torch.device) -> None:
        raise RuntimeError(f"{TOO_OLD}\nCUDA kernel errors might be reported at some other API call")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch, "zeros", zeros)
    trouble_of.cache_clear()
    yield
    trouble_of.cache_clear()


def test_devices_that_are_not_there() -> None:
    for name in ("cuda:99", "tpu", "mps:0x", "meta"):
        with pytest.raises(DeviceError):
            find_device(name)


def test_a_gpu_that_does_not_work_is_named_with_the_reason(old_gpu: None) -> None:
    for name in ("cuda", "cuda:0"):
        with pytest.raises(
            DeviceError, match=rf"the device {name} does not work \({TOO_OLD}\); -d cpu always"
        ):
            find_device(name)


def test_a_gpu_that_does_not_work_is_left_for_the_cpu(old_gpu: None, preset: Preset) -> None:
    look = Retoucher(preset)
    assert look.device.type == "cpu"
    assert look.note == f"on the CPU: the GPU does not work ({TOO_OLD})"


def test_doctor_says_what_is_wrong_with_a_gpu(old_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lptn_cli.jpeg_on_cuda.told", lambda: "")
    assert f"cuda:0 (does not work: {TOO_OLD})" in doctor.examine()["devices"]


def test_doctor_says_that_kernels_do_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lptn_cli.jpeg_on_cuda.told", lambda: "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU")
    memory = SimpleNamespace(total_memory=8 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: memory)
    monkeypatch.setattr(device, "trouble_of", lambda _: "")
    monkeypatch.setattr(device, "kernels", lambda _: (None, "no C compiler"))
    assert "cuda:0 (A GPU, 8 GiB, its kernels do not work: no C compiler)" in doctor.examine()["devices"]


def test_a_run_says_once_what_keeps_it_from_the_gpu(
    old_gpu: None, retouch: Retouch, folder: Path, out: Path
) -> None:
    ran = retouch(folder, "-o", out)
    assert ran.code == 0
    assert ran.stderr.count(f"lptn: on the CPU: the GPU does not work ({TOO_OLD})") == 1
    assert "GPU" not in retouch(folder, "-o", out, "--overwrite", "-q").stderr
