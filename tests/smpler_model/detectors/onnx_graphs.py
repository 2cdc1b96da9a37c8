"""ONNX graphs of detectors that return fixed boxes, or boxes computed from their input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")

Array = NDArray[Any]
HEIGHT, WIDTH = 64, 96  # of the inputs
CELLS = 8 * 12 + 4 * 6 + 2 * 3
PERSON_EDGES = np.array([20.0, 10.0, 44.0, 58.0])  # in the input


def write(
    path: Path,
    outputs: dict[str, Array | str],
    *,
    nodes: list[Any] | None = None,
    inputs: list[tuple[str, str, list[Any]]] | None = None,
    constants: dict[str, Array] | None = None,
) -> Path:
    """Write a graph whose outputs are constants, or results of nodes where a type is given."""
    helper, types = onnx.helper, onnx.TensorProto
    constants = dict(constants or {})
    nodes, results = list(nodes or []), []
    for name, value in outputs.items():
        if isinstance(value, str):
            results.append(helper.make_tensor_value_info(name, getattr(types, value), None))
            continue
        constants[f"{name}_value"] = value
        nodes.append(helper.make_node("Identity", [f"{name}_value"], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        results.append(helper.make_tensor_value_info(name, kind, value.shape))
    graph = helper.make_graph(
        nodes,
        "detector",
        [
            helper.make_tensor_value_info(name, getattr(types, kind), shape)
            for name, kind, shape in inputs or [("images", "FLOAT", [1, 3, HEIGHT, WIDTH])]
        ],
        results,
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def cell_table() -> Array:
    """Return (n, 3) column, row and stride of every cell, spelled out in YOLOX's order."""
    return np.array(
        [
            (column, row, stride)
            for stride in (8, 16, 32)
            for row in range(HEIGHT // stride)
            for column in range(WIDTH // stride)
        ],
        np.float32,
    )


def yolox_table(people: dict[int, tuple[Array, float, float]], *, decoded: bool) -> Array:
    """Return (1, n, 5 + 3) with people given as cell -> edges, objectness, class score."""
    cells = cell_table()
    column, row, stride = cells.T
    table = np.zeros((1, len(cells), 8), np.float32)
    table[0, :, 6] = 1.0  # another class has full confidence everywhere
    if decoded:
        table[0, :, :2] = (cells[:, :2] + 0.5) * stride[:, None]
        table[0, :, 2:4] = stride[:, None]
    for cell, (edges, objectness, score) in people.items():
        centre, size = (edges[:2] + edges[2:]) / 2, edges[2:] - edges[:2]
        if not decoded:
            centre = centre / stride[cell] - (column[cell], row[cell])
            size = np.log(size / stride[cell])
        table[0, cell, :6] = [*centre, *size, objectness, score]
    return table


SEEN = np.array([200, 100, 40])  # red, green, blue


def seeing_yolox(path: Path, kind: str, layout: str) -> Path:
    """One cell whose three class scores are the means of the input's three channels / 255."""
    axes, shape = ([2, 3], [1, 3, HEIGHT, WIDTH]) if layout == "nchw" else ([1, 2], None)
    node = onnx.helper.make_node
    fixed = yolox_table({0: (PERSON_EDGES, 1.0, 0.0)}, decoded=False)[..., :5]
    nodes = [
        node("Cast", ["images"], ["pixels"], to=onnx.TensorProto.FLOAT),
        node("ReduceMean", ["pixels"], ["means"], axes=axes, keepdims=0),
        node("Div", ["means", "levels"], ["scores"]),
        node("Expand", ["scores", "rows"], ["classes"]),
        node("Concat", ["fixed", "classes"], ["output"], axis=2),
    ]
    constants = {
        "levels": np.array(255, np.float32),
        "rows": np.array([1, CELLS, 3], np.int64),
        "fixed": fixed,
    }
    inputs = [("images", kind, shape or [1, HEIGHT, WIDTH, 3])]
    return write(path, {"output": "FLOAT"}, nodes=nodes, inputs=inputs, constants=constants)


DETR_BOXES = np.array([[[0.5, 0.5, 0.25, 0.5], [0.1, 0.1, 0.4, 0.4]]], np.float32)


def detr_logits(classes: int, person: int) -> Array:
    """Make the second query a person at 0.75, and both certainly something else as well."""
    logits = np.full((1, 2, classes), -9, np.float32)
    logits[0, :, (person + 2) % classes] = 9
    logits[0, 1, person] = np.log(3)
    return logits
