"""The device that a look works on, by its name."""

from __future__ import annotations

import torch

from lptn_cli.errors import DeviceError


def find_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is the first NVIDIA GPU, else the CPU. Raises DeviceError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
    return device
