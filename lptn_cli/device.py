"""The device that a look works on, by its name, and what keeps a GPU from its work."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch

from lptn_cli.errors import DeviceError, first_line

FIRST = torch.device("cuda", 0)


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is the first NVIDIA GPU, if it works, else the CPU.

    Raises DeviceError.
    """
    if name == "auto":
        return FIRST if torch.cuda.is_available() and not trouble_of(FIRST) else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"no device is called {name}; use auto, cpu, cuda or cuda:N") from None
    if device.type == "cpu":
        return device
    if device.type != "cuda" or (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"the device {name} is not there; `lptn doctor` lists the devices, -d cpu always works"
        )
    device = torch.device("cuda", device.index or 0)
    if trouble := trouble_of(device):
        raise DeviceError(f"the device {name} does not work ({trouble}); -d cpu always works")
    return device


def passed_over(name: str) -> str:
    """What to say where that name means the CPU although there is a GPU; else nothing."""
    if name != "auto" or not torch.cuda.is_available() or not trouble_of(FIRST):
        return ""
    return f"on the CPU: the GPU does not work ({trouble_of(FIRST)})"


@cache
def trouble_of(gpu: torch.device) -> str:
    """Why nothing can be computed on that GPU: it is too old for this torch, its driver is, it is full or
    someone else's. Nothing, if it works."""
    try:
        torch.zeros(8, device=gpu).add_(1).cpu()
    except (RuntimeError, AssertionError) as error:  # the latter from a torch without CUDA
        return first_line(error)
    return ""


@cache
def kernels(gpu: torch.device) -> tuple[ModuleType | None, str]:
    """What works on that GPU (on_cuda), or why there is none: Triton is missing or cannot compile, for which
    it needs a C compiler and Python's headers."""
    try:
        from lptn_cli import on_cuda
    except (ImportError, RuntimeError, OSError) as error:
        return None, first_line(error)
    trouble = on_cuda.trouble_compiling(gpu)
    return (None, trouble) if trouble else (on_cuda, "")
