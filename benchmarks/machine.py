"""What the benchmarks share: their options, where they were measured, how a result is published."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "triton",
    "numba",
    "numpy",
    "opencv-python-headless",
    "simplejpeg",
    "nvidia-nvimgcodec-cu13",
)


def machine() -> dict[str, Any]:
    """Date, commit, processor, cores and versions, as JSON-able values."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "processor": model,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def preset_options(description: str | None) -> argparse.Namespace:
    """The options `folder`, `preset` (a list) and `out` of a benchmark of presets on a folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-p", "--preset", action="append", required=True)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def publish(result: dict[str, Any], out: Path | None, name: str) -> None:
    """Print the result as JSON, and write it to OUT/NAME.json if there is an OUT."""
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(text)
