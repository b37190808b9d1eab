"""What `lptn doctor` says: versions, devices, codecs and paths, for a bug report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

from lptn_cli import __version__
from lptn_cli import preset as presets
from lptn_cli.codecs.formats import EXTENSIONS

PACKAGES = (
    "torch", "numpy", "opencv-python-headless", "simplejpeg", "tifffile", "imagecodecs", "pillow",
    "pillow-heif", "rawpy",
    "numba", "safetensors", "fsspec", "typer", "rich",
)  # fmt: skip


EXTRAS = {"heic": "pillow-heif", "raw": "rawpy"}  # formats that a package of its own reads


def examine() -> dict[str, str]:
    """Facts by name, in the order in which they are shown."""
    import torch

    from lptn_cli import jpeg_on_cuda

    devices = [f"cpu ({os.cpu_count()} cores, {torch.get_num_threads()} torch threads)"]
    devices += [_gpu(torch.device("cuda", n)) for n in range(torch.cuda.device_count())]
    found = presets.available()
    readable = [name for name in EXTENSIONS if _version(EXTRAS.get(name, "pillow")) != "missing"]
    return {
        "lptn": __version__,
        "python": f"{platform.python_version()} at {sys.executable}",
        "platform": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        "torch": torch.__version__,  # with its build: +cpu or +cu...
        "devices": ", ".join(devices),
        "gpu jpeg": jpeg_on_cuda.told(),
        "formats": ", ".join(readable),
        "presets": ", ".join(found) or "none",
        "preset folders": ", ".join(map(str, presets.folders())),
    }


def _gpu(device: Any) -> str:
    """What it is, or why it cannot be used."""
    import torch

    from lptn_cli.device import kernels, trouble_of

    if trouble := trouble_of(device):
        return f"{device} (does not work: {trouble})"
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    trouble = kernels(device)[1]
    without = f", its kernels do not work: {trouble}" if trouble else ""
    return f"{device} ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB{without})"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
