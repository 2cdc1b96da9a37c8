import argparse
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.commands import export as command
from smpler_model.inference import export
from smpler_model.inference.export import ExportError, example_crops, export_model, read_metadata
from smpler_model.inference.fast_network import OUTPUT_SHAPES
from smpler_model.inference.runners import PlainNetwork
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.smpler import Smpler
from tests.calibrated import calibrated_model
from tests.small_hrnet import SMALL_HRNET

SIDE = SMPLER_NANO.image_size
PEOPLE = 5
TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def graph(exported_file: Path) -> bytes:
    """The output of PyTorch's exporter for the model."""
    written = onnx.load(exported_file)
    del written.metadata_props[:]
    return written.SerializeToString()


@pytest.fixture(scope="module")
def expected(calibrated: Smpler) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        return PlainNetwork(calibrated)(example_crops(SIDE, PEOPLE))


@pytest.mark.slow
def test_onnx_outputs_equal_the_network(
    exported_file: Path, expected: tuple[torch.Tensor, ...]
) -> None:
    session = onnxruntime.InferenceSession(exported_file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == list(OUTPUT_SHAPES)
    found = session.run(None, {"crops": example_crops(SIDE, PEOPLE).numpy()})
    for values, wanted, name in zip(found, expected, names, strict=True):
        np.testing.assert_allclose(values, wanted, atol=TOLERANCE, rtol=TOLERANCE, err_msg=name)


@pytest.mark.slow
def test_batch_norms_are_exported(body_arrays: BodyArrays, tmp_path: Path) -> None:
    network = calibrated_model(SMALL_HRNET, body_arrays)
    written = export_model(network, tmp_path / "small.onnx", "tensorrt-ready-onnx")
    assert "for 1 and 3 people" in written


def test_only_the_batch_dimension_is_variable(exported_file: Path) -> None:
    graph = onnx.load(exported_file).graph
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    wanted = {name: ["people", *shape] for name, shape in OUTPUT_SHAPES.items()}
    assert shapes == {"crops": ["people", SIDE, SIDE, 3], **wanted}


def test_an_operator_that_tensorrt_lacks_is_refused(
    calibrated: Smpler, graph: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "exported_network", lambda _: graph)
    fewer = export.TENSORRT_OPERATORS - {"GridSample"}
    monkeypatch.setattr(export, "TENSORRT_OPERATORS", fewer)
    with pytest.raises(ExportError, match="must consist of operators it supports, got GridSample"):
        export_model(calibrated, tmp_path / "nano.onnx", "tensorrt-ready-onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_file_with_other_outputs_is_not_written(
    calibrated: Smpler, graph: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nano.onnx"
    path.write_text("what was here before")
    other = calibrated_model(SMPLER_NANO, calibrated.body.arrays(), seed=1)
    monkeypatch.setattr(export, "exported_network", lambda _: graph)
    with pytest.raises(ExportError, match="must equal the network's, got a difference"):
        export_model(other, path, "onnx")
    assert path.read_text() == "what was here before"
    assert [file.name for file in tmp_path.iterdir()] == ["nano.onnx"]


def test_other_onnx_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    graph = onnx.helper.make_graph([], "nothing", [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    with pytest.raises(ExportError, match="export the checkpoint"):
        read_metadata(path)
    path.write_bytes(b"no protobuf at all")
    with pytest.raises(ExportError, match="must be an ONNX file, got one that cannot be read"):
        read_metadata(path)


@pytest.mark.slow
def test_the_command_writes_beside_the_checkpoint(
    calibrated_file: Path,
    graph: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(export, "exported_network", lambda _: graph)
    checkpoint = tmp_path / "nano.pt"
    shutil.copy(calibrated_file, checkpoint)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["export", str(checkpoint)])
    assert chosen.run(chosen) == 0
    assert read_metadata(tmp_path / "nano.onnx")["model"] == "smpler_nano"
    assert "within" in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_writes_a_shipped_model_into_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    chosen = parser.parse_args(["export", "smpler_nano"])
    assert chosen.run(chosen) == 0
    assert read_metadata(Path("smpler_nano.onnx"))["model"] == "smpler_nano"
