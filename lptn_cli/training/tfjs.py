"""TensorFlow.js graph models, walked with torch: one number after the other, as the file says.

Only the operations that MAXIM's graph is made of (maxim.py). Format:
https://github.com/tensorflow/tfjs/blob/master/tfjs-converter/README.md
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.errors import StartError

TYPES = {"DT_INT32": torch.int64, "DT_FLOAT": torch.float32}


class Node:
    """One operation: its name, kind, the names of what it is given, and attributes."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.name: str = said["name"]
        self.kind: str = said["op"]
        self.given = [name.split(":")[0] for name in said.get("input", []) if not name.startswith("^")]
        self.attributes: dict[str, Any] = said.get("attr", {})

    def text(self, key: str) -> str:
        return base64.b64decode(self.attributes[key]["s"]).decode()

    def number(self, key: str) -> int:
        return int(self.attributes.get(key, {}).get("i", 0))  # 0 is left out

    def numbers(self, key: str) -> list[int]:
        return [int(n) for n in self.attributes[key]["list"].get("i", [])]


class Graph:
    """(n, h, w, c) -> what the graph makes of it.

    Raises StartError for a folder without a model.json or its weights, and for operations not known here.
    """

    def __init__(self, folder: Path) -> None:
        try:
            model = json.loads((folder / "model.json").read_bytes())
            nodes = {node.name: node for node in map(Node, model["modelTopology"]["node"])}
            self._constants = _weights(folder, model["weightsManifest"])
        except (OSError, ValueError, KeyError) as error:
            raise StartError(f"{folder}: not the folder of a TensorFlow.js graph model ({error})") from None
        self._result = next(iter(model["signature"]["outputs"].values()))["name"].split(":")[0]
        self._input = next(node.name for node in nodes.values() if node.kind == "Placeholder")
        self._fixed: list[Node] = []  # needs the input's shape at most
        self._varying: list[Node] = []  # needs its values
        varying = {self._input}
        steps = [node for node in _in_order(nodes, self._result) if node.kind not in ("Const", "Placeholder")]
        if unknown := sorted({node.kind for node in steps} - OPERATIONS.keys()):
            raise StartError(f"{folder}: a graph with operations not known here: {', '.join(unknown)}")
        for node in steps:
            varies = node.kind != "Shape" and any(name in varying for name in node.given)
            (self._varying if varies else self._fixed).append(node)
            if varies:
                varying.add(node.name)
        self._by_shape: dict[torch.Size, dict[str, Tensor]] = {}

    def __call__(self, image: Tensor) -> Tensor:
        if image.shape not in self._by_shape:
            self._by_shape[image.shape] = _walk(self._fixed, {**self._constants, self._input: image}, ())
        values = {**self._by_shape[image.shape], self._input: image}
        return _walk(self._varying, values, (self._result,))[self._result]


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, Tensor]:
    weights = {}
    for group in manifest:
        data, start = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
        for weight in group["weights"]:
            count = int(np.prod(weight["shape"], dtype=int))
            values = np.frombuffer(data, weight["dtype"], count, start).reshape(weight["shape"])
            start += values.nbytes
            weights[weight["name"]] = torch.from_numpy(
                values.astype(np.int64 if values.dtype == np.int32 else values.dtype)
            )
    return weights


def _in_order(nodes: dict[str, Node], last: str) -> list[Node]:
    """What the last needs, and it, each after what it is given."""
    order: dict[str, Node] = {}
    waiting = [last]
    while waiting:
        node = nodes[waiting[-1]]
        missing = [name for name in node.given if name not in order]
        if missing:
            waiting += missing
        else:
            order[waiting.pop()] = node
    return list(order.values())


def _walk(nodes: list[Node], values: dict[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """The values, and those of the nodes; if some are wanted, others go when nothing needs them any more."""
    last_use = {name: n for n, node in enumerate(nodes) for name in node.given} if wanted else {}
    for n, node in enumerate(nodes):
        values[node.name] = OPERATIONS[node.kind](node, *(values[name] for name in node.given))
        for name in node.given:
            if last_use.get(name) == n and name not in wanted:
                values.pop(name, None)
    return values


def _list(tensor: Tensor) -> list[int]:
    return [int(n) for n in tensor.flatten()]


def _convolution(node: Node, image: Tensor, kernel: Tensor) -> Tensor:
    """NHWC, HWIO; "SAME" pads as TensorFlow does, more at the end."""
    image, stride = image.permute(0, 3, 1, 2), node.numbers("strides")[1]
    if node.text("padding") == "SAME":
        pads: list[int] = []
        for size, width in ((image.shape[3], kernel.shape[1]), (image.shape[2], kernel.shape[0])):
            missing = max((-(-size // stride) - 1) * stride + width - size, 0)
            pads += [missing // 2, missing - missing // 2]
        image = F.pad(image, pads)
    return F.conv2d(image, kernel.permute(3, 2, 0, 1), stride=stride).permute(0, 2, 3, 1)


def _transposed(node: Node, _: Tensor, kernel: Tensor, image: Tensor) -> Tensor:
    """The gradient of a "VALID" convolution."""
    stride = node.numbers("strides")[1]
    found = F.conv_transpose2d(image.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), stride=stride)
    return found.permute(0, 2, 3, 1)


def _slice(node: Node, tensor: Tensor, begin: Tensor, end: Tensor, step: Tensor) -> Tensor:
    index: list[int | slice] = []
    for axis, (first, last, by) in enumerate(zip(*map(_list, (begin, end, step)), strict=True)):
        starts, ends, single = (
            node.number(key) >> axis & 1 for key in ("begin_mask", "end_mask", "shrink_axis_mask")
        )
        index.append(first if single else slice(None if starts else first, None if ends else last, by))
    return tensor[tuple(index)]


def _gathered(_: Node, tensor: Tensor, index: Tensor, axis: Tensor) -> Tensor:
    at = int(axis)
    shape = (*tensor.shape[:at], *index.shape, *tensor.shape[at + 1 :])
    return tensor.index_select(at, index.flatten()).reshape(shape)


def _sum(_: Node, tensor: Tensor, axes: Tensor) -> Tensor:
    return tensor.sum(dim=_list(axes)) if axes.numel() else tensor


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "Abs": lambda _, x: x.abs(),
    "AddV2": lambda _, a, b: a + b,
    "BroadcastTo": lambda _, x, shape: x.broadcast_to(_list(shape)),
    "Cast": lambda node, x: x.to(TYPES[node.attributes["DstT"]["type"]]),
    "ConcatV2": lambda _, *all_: torch.cat(all_[:-1], dim=int(all_[-1])),
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _transposed,
    "Einsum": lambda node, a, b: torch.einsum(node.text("equation"), a, b),
    "Exp": lambda _, x: x.exp(),
    "ExpandDims": lambda _, x, axis: x.unsqueeze(int(axis)),
    "Floor": lambda _, x: x.floor(),
    "FloorDiv": lambda _, a, b: torch.div(a, b, rounding_mode="floor"),
    "FloorMod": lambda _, a, b: torch.remainder(a, b),
    "GatherV2": _gathered,
    "Greater": lambda _, a, b: a > b,
    "GreaterEqual": lambda _, a, b: a >= b,
    "Identity": lambda _, x: x,
    "Less": lambda _, a, b: a < b,
    "LessEqual": lambda _, a, b: a <= b,
    "LogicalAnd": lambda _, a, b: a & b,
    "Maximum": lambda _, a, b: torch.maximum(a, b),
    "Minimum": lambda _, a, b: torch.minimum(a, b),
    "Mul": lambda _, a, b: a * b,
    "Neg": lambda _, x: -x,
    "NotEqual": lambda _, a, b: a != b,
    "Pack": lambda node, *all_: torch.stack(all_, dim=node.number("axis")),
    "Range": lambda _, first, last, by: torch.arange(int(first), int(last), int(by)),
    "RealDiv": lambda _, a, b: a / b,
    "Reciprocal": lambda _, x: 1 / x,
    "Reshape": lambda _, x, shape: x.reshape(_list(shape)),
    "Rsqrt": lambda _, x: x.rsqrt(),
    "SelectV2": lambda _, which, a, b: torch.where(which, a, b),
    "Shape": lambda _, x: torch.tensor(x.shape),
    "Sign": lambda _, x: x.sign(),
    "Square": lambda _, x: x * x,
    "Squeeze": lambda node, x: x.squeeze(node.numbers("squeeze_dims")[0]),
    "StridedSlice": _slice,
    "Sub": lambda _, a, b: a - b,
    "Sum": _sum,
    "Tanh": lambda _, x: x.tanh(),
    "Transpose": lambda _, x, axes: x.permute(_list(axes)),
}
