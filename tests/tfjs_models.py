"""Makes folders of TensorFlow.js graph models."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Step = tuple[str, str, Sequence[str], dict[str, Any]]  # name, operation, what it is given, attributes


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def write_model(folder: Path, weights: dict[str, NDArray[Any]], *steps: Step) -> Path:
    """A model of an input x, those weights and steps; the last is its output; data in two files."""
    nodes: list[dict[str, Any]] = [{"name": "x", "op": "Placeholder"}]
    nodes += [{"name": name, "op": "Const"} for name in weights]
    for name, kind, given, attributes in steps:
        nodes.append({"name": name, "op": kind, "input": list(given), "attr": attributes})
    data = b"".join(np.ascontiguousarray(value).tobytes() for value in weights.values())
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("1.bin", data[: len(data) // 2]), ("2.bin", data[len(data) // 2 :])):
        (folder / name).write_bytes(part)
    listed = [
        {"name": name, "shape": value.shape, "dtype": value.dtype.name} for name, value in weights.items()
    ]
    model = {
        "signature": {"outputs": {"y": {"name": f"{steps[-1][0]}:0"}}},
        "modelTopology": {"node": nodes[::-1]},  # in no order
        "weightsManifest": [{"paths": ["1.bin", "2.bin"], "weights": listed}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder
