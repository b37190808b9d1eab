"""TensorFlow.js graphs give what TensorFlow says that their operations give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lptn_cli.errors import StartError
from lptn_cli.training.tfjs import Graph
from tests.tfjs_models import Step, numbers, text, write_model

STRIDES = numbers(1, 2, 2, 1)
IMAGE = np.arange(24, dtype=np.float32).reshape(1, 4, 6, 1)


def ints(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def result(folder: Path, weights: dict[str, NDArray[Any]], *steps: Step) -> NDArray[Any]:
    found: NDArray[Any] = Graph(write_model(folder, weights, *steps))(torch.from_numpy(IMAGE)).numpy()
    return found


def test_a_strided_convolution_pads_the_end(tmp_path: Path) -> None:
    kernel = {"k": np.ones((3, 3, 1, 1), np.float32)}
    attributes = {"strides": STRIDES, "padding": text("SAME")}
    found = result(tmp_path, kernel, ("y", "Conv2D", ("x", "k"), attributes))
    # tf.nn.conv2d pads 4x6 for stride 2 by one row below and one column to the right, none before.
    x = np.pad(IMAGE[0, :, :, 0], ((0, 1), (0, 1)))
    expected = [[x[r : r + 3, c : c + 3].sum() for c in (0, 2, 4)] for r in (0, 2)]
    assert np.array_equal(found[0, :, :, 0], expected)


def test_a_transposed_convolution_is_the_gradient_of_one(tmp_path: Path) -> None:
    kernel = {"k": np.array([[1, 2], [3, 4]], np.float32).reshape(2, 2, 1, 1), "size": ints(1, 8, 12, 1)}
    attributes = {"strides": STRIDES, "padding": text("VALID")}
    found = result(tmp_path, kernel, ("y", "Conv2DBackpropInput", ("size", "k", "x"), attributes))
    expected = np.kron(IMAGE[0, :, :, 0], [[1, 2], [3, 4]])
    assert np.array_equal(found[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("weights", "step", "expected"),
    [
        (
            {"b": ints(0, 1, 2, 0), "e": ints(1, 9, 5, 1), "s": ints(1, 2, 1, 1)},
            (
                "y",
                "StridedSlice",
                ("x", "b", "e", "s"),
                {"end_mask": {"i": "2"}, "shrink_axis_mask": {"i": "8"}},
            ),
            IMAGE[0:1, 1::2, 2:5, 0],
        ),
        (
            {"i": ints(3, 0), "a": ints(1).reshape(())},
            ("y", "GatherV2", ("x", "i", "a"), {}),
            IMAGE[:, [3, 0]],
        ),
        ({"a": ints(1, 2)}, ("y", "Sum", ("x", "a"), {}), IMAGE.sum((1, 2))),
        ({"a": ints()}, ("y", "Sum", ("x", "a"), {}), IMAGE),
        ({"p": ints(0, 2, 1, 3)}, ("y", "Transpose", ("x", "p"), {}), IMAGE.transpose(0, 2, 1, 3)),
        (
            {"w": floats(1, -1)[None]},
            ("y", "Einsum", ("x", "w"), {"equation": text("abcg,gf->abcf")}),
            np.concatenate([IMAGE, -IMAGE], 3),
        ),
        ({}, ("y", "Cast", ("x",), {"DstT": {"type": "DT_INT32"}}), IMAGE.astype(np.int64)),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_an_operation(
    tmp_path: Path, weights: dict[str, NDArray[Any]], step: Step, expected: NDArray[Any]
) -> None:
    assert np.array_equal(result(tmp_path, weights, step), expected)


def test_shapes_are_worked_out_once_for_each_size(tmp_path: Path) -> None:
    steps: list[Step] = [
        ("shape", "Shape", ("x",), {}),
        ("flat", "FloorDiv", ("shape", "halves"), {}),
        ("zeros", "BroadcastTo", ("nought", "flat"), {}),
        ("sum", "AddV2", ("one", "x"), {}),
        ("size", "Shape", ("zeros",), {}),
        ("first", "StridedSlice", ("sum", "none", "size", "step"), {}),
        ("y", "Mul", ("first", "first"), {}),
    ]
    weights = {
        "halves": ints(1, 2, 2, 1),
        "none": ints(0, 0, 0, 0),
        "step": ints(1, 1, 1, 1),
        "nought": floats(0),
        "one": floats(1),
    }
    graph = Graph(write_model(tmp_path, weights, *steps))
    for h, w in ((4, 6), (8, 2), (4, 6)):
        for offset in (0, 5):
            x = offset + torch.arange(float(h * w)).reshape(1, h, w, 1)
            assert torch.equal(graph(x), (x[:, : h // 2, : w // 2] + 1) ** 2)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=rf"{tmp_path}.*TensorFlow\.js"):
        Graph(tmp_path)


def test_operations_that_are_not_known_are_named_before_any_work(tmp_path: Path) -> None:
    model = write_model(
        tmp_path / "model", {}, ("z", "Roll", ["x"], {}), ("a", "Erf", ["z"], {}), ("y", "Neg", ["a"], {})
    )
    with pytest.raises(StartError, match=r"model: .* not known here: Erf, Roll$"):
        Graph(model)
