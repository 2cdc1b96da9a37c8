import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.detectors.person_network import PersonNetwork
from smpler_model.network.config import MobileLayout
from smpler_model.network.mobile_backbone import MobileBackbone
from training.learning.movenet_weights import (
    BOX_HEADS,
    KEYPOINT_HEADS,
    name_layers,
    read_arrays,
    read_movenet,
)

LAYOUT = MobileLayout(4, (2, 2, 3, 3, 4, 4, 5), 6, (4, 3, 2, 2), pose_features=4)


@pytest.fixture
def backbone() -> MobileBackbone:
    torch.manual_seed(0)
    return MobileBackbone(LAYOUT).eval()


@pytest.fixture
def graph(backbone: MobileBackbone, tmp_path: Path) -> Path:
    """A graph of seeded arrays in TensorFlow's layout."""
    rng = np.random.default_rng(0)
    state = backbone.state_dict()
    arrays: dict[str, NDArray[Any]] = {"a/count": np.array(7, np.int32)}
    for layer, weights, bias in name_layers(backbone, KEYPOINT_HEADS):
        o, i, h, w = state[f"{layer}.weight"].shape
        depthwise = layer.endswith("depthwise")
        arrays[weights] = rng.normal(size=(h, w, o, i) if depthwise else (h, w, i, o))
        if bias:
            arrays[bias] = rng.normal(size=o)
    return write_graph(tmp_path / "movenet.json", arrays)


def write_graph(path: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    entries, content = [], b""
    for name, values in arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": "int32"}
        if values.dtype.kind == "f":
            values = values.astype(np.float16)
            entry |= {"dtype": "float32", "quantization": {"dtype": "float16"}}
        entries.append(entry)
        content += values.tobytes()
    path.with_suffix(".bin").write_bytes(content)
    manifest = [{"paths": [path.with_suffix(".bin").name], "weights": entries}]
    path.write_text(json.dumps({"modelTopology": {}, "weightsManifest": manifest}))
    return path


def test_every_weight_of_the_backbone_is_read(backbone: MobileBackbone, graph: Path) -> None:
    state = read_movenet(graph, backbone, KEYPOINT_HEADS)
    assert state.keys() == backbone.state_dict().keys()
    assert {values.dtype for values in state.values()} == {torch.float32}


def test_the_pose_branch_starts_as_a_copy(backbone: MobileBackbone, graph: Path) -> None:
    backbone.load_state_dict(read_movenet(graph, backbone, KEYPOINT_HEADS))
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        features, seen = backbone.look(images)
        assert backbone.branch is not None
        own = backbone.branch(seen[1])
    torch.testing.assert_close(own, features[:, :4])


def test_layers_equal_tensorflow_s(backbone: MobileBackbone, graph: Path) -> None:
    arrays = read_arrays(graph)
    backbone.load_state_dict(read_movenet(graph, backbone, KEYPOINT_HEADS))
    names = {
        layer: (weights, bias) for layer, weights, bias in name_layers(backbone, KEYPOINT_HEADS)
    }
    x = torch.randn(1, 4, 3, 3)
    with torch.inference_mode():
        top = backbone.top(torch.ones(1, 6, 1, 1))[0, :, 0, 0]
        filtered = backbone.get_submodule("groups.0.0.depthwise")(x)[0, :, 1, 1]
    weights, bias = (arrays[name] for name in names["top"])
    np.testing.assert_allclose(top, weights.sum((0, 1, 2)) + bias, rtol=1e-5, atol=1e-5)
    weights, bias = (arrays[name] for name in names["groups.0.0.depthwise"])
    by_hand = np.einsum("cyx,yxc->c", x[0].numpy(), weights[..., 0]) + bias
    np.testing.assert_allclose(filtered, by_hand, rtol=1e-5, atol=1e-5)


def test_the_person_detector_has_the_layers_of_multipose() -> None:
    network = PersonNetwork(LAYOUT)
    layers = list(name_layers(network, BOX_HEADS))
    named = {f"{layer}.weight" for layer, _, _ in layers}
    assert named == {key for key in network.state_dict() if key.endswith("weight")}
    stored = {layer: weights for layer, weights, _ in layers}
    head = "StatefulPartitionedCall/box_scale_0"
    assert stored["size.0.depthwise"] == (
        f"{head}/separable_conv2d_4/separable_conv2d/ReadVariableOp"
    )
    assert stored["size.1"] == f"{head}/conv2d_5/Conv2D/ReadVariableOp"


def test_another_network_is_refused(backbone: MobileBackbone, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "other.json", {"Conv1/weights": np.zeros((1, 1, 2, 2))})
    with pytest.raises(
        ValueError, match=r"must be MoveNet's graph, got no .*Conv1/Conv2D_weights"
    ):
        read_movenet(path, backbone, KEYPOINT_HEADS)


def test_another_size_is_refused(graph: Path) -> None:
    with pytest.raises(ValueError, match=r"must have the network's size, got \(4, 3, 3, 3\)"):
        read_movenet(graph, MobileBackbone(MobileLayout()), KEYPOINT_HEADS)


def test_truncated_arrays(graph: Path) -> None:
    arrays = graph.with_suffix(".bin")
    arrays.write_bytes(arrays.read_bytes()[:-2])
    with pytest.raises(ValueError, match="they are truncated"):
        read_arrays(graph)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"PK\x03\x04\xff", b'{"weightsManifest": 3}'])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a TensorFlow.js graph, got another file"):
        read_arrays(path)


def test_missing_graph_files(graph: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must be a graph's JSON file"):
        read_arrays(tmp_path / "nothing.json")
    graph.with_suffix(".bin").unlink()
    with pytest.raises(FileNotFoundError):
        read_arrays(graph)
