"""Settings of detectors in ONNX files, and invalid files."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smpler_model.detectors import onnx_detector
from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.onnx_detector import (
    CPU_PROVIDER,
    CUDA_PROVIDER,
    OnnxDetector,
    choose_providers,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from tests.smpler_model.detectors.onnx_graphs import (  # noqa: E402 - it needs onnx
    CELLS,
    DETR_BOXES,
    HEIGHT,
    SEEN,
    WIDTH,
    Array,
    detr_logits,
    seeing_yolox,
    write,
)


def test_yolox_threshold_and_class(yolox: Path) -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert len(OnnxDetector(yolox, score_threshold=0.25).detect(image)) == 2
    assert len(OnnxDetector(yolox, score_threshold=0.73).detect(image)) == 0
    every = OnnxDetector(yolox, score_threshold=0.25, overlap_threshold=0.99).detect(image)
    np.testing.assert_allclose(every.scores, [0.72, 0.63, 0.56, 0.3], rtol=1e-6)
    other = OnnxDetector(yolox, score_threshold=0.85, person_class=1).detect(image)
    np.testing.assert_allclose(other.scores, [0.9], rtol=1e-6)


def test_scaling_can_be_set(tmp_path: Path) -> None:
    path = seeing_yolox(tmp_path / "seeing.onnx", "FLOAT", "nchw")
    detector = OnnxDetector(path, score_threshold=0.001, person_class=0, scaling="rgb_unit")
    scores = detector.detect(np.full((HEIGHT, WIDTH, 3), SEEN, np.uint8)).scores
    np.testing.assert_allclose(scores, [SEEN[0] / 255 / 255], rtol=1e-5)


def test_bytes_are_not_scaled_for_a_file_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(onnx_detector, "scale_pixels", refuse)
    path = seeing_yolox(tmp_path / "seeing.onnx", "UINT8", "nhwc")
    detector = OnnxDetector(path, score_threshold=0.001, person_class=0, scaling="rgb_unit")
    scores = detector.detect(np.full((HEIGHT, WIDTH, 3), SEEN, np.uint8)).scores
    np.testing.assert_allclose(scores, [SEEN[0] / 255], rtol=1e-5)


def test_open_sizes(tmp_path: Path) -> None:
    inputs = [("images", "FLOAT", ["batch", 3, "height", "width"])]
    outputs = {"dets": DETR_BOXES, "labels": detr_logits(91, 1)}
    path = write(tmp_path / "open.onnx", {**outputs}, inputs=inputs)
    assert OnnxDetector(path).input.size == (640, 640)
    detector = OnnxDetector(path, open_size=(48, 80))
    assert detector.input.size == (48, 80)
    assert len(detector.detect(np.zeros((9, 9, 3), np.uint8))) == 1
    with pytest.raises(DetectorError, match=r"open_size must be positive pixels, got \(0, 80\)"):
        OnnxDetector(path, open_size=(0, 80))


def test_onnxruntime_is_missing(yolox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DetectorError, match=r"needs the package onnxruntime.*pip install"):
        OnnxDetector(yolox)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"must be an ONNX file, got .*gone.onnx; give the"):
        OnnxDetector(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x08\x08\x12\x00" * 50])
def test_files_that_are_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match="is not an ONNX file that ONNX Runtime") as caught:
        OnnxDetector(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short(yolox: Path) -> None:
    yolox.write_bytes(yolox.read_bytes()[:-100])
    with pytest.raises(DetectorError, match="is not an ONNX file that ONNX Runtime"):
        OnnxDetector(yolox)


IMAGE_INPUT = ("images", "FLOAT", [1, 3, HEIGHT, WIDTH])


@pytest.mark.parametrize(
    "inputs",
    [
        [("images", "FLOAT", [1, 1, HEIGHT, WIDTH])],
        [("images", "FLOAT", [8, 3, HEIGHT, WIDTH])],
        [("images", "DOUBLE", [1, 3, HEIGHT, WIDTH])],
        [("tokens", "INT64", [1, 77])],
        [IMAGE_INPUT, ("mask", "INT64", [1, HEIGHT, WIDTH])],
        [IMAGE_INPUT, ("scale_factor", "FLOAT", [1, 2])],
        [IMAGE_INPUT, ("other", "FLOAT", [1, 3, HEIGHT, WIDTH])],
    ],
    ids=["grey", "batch", "double", "no image", "mask", "scale", "two images"],
)
def test_unknown_inputs_are_refused(tmp_path: Path, inputs: list[Any]) -> None:
    path = write(tmp_path / "odd.onnx", {"y": np.zeros((1, 2, 4), np.float32)}, inputs=inputs)
    name, _, shape = inputs[-1]
    with pytest.raises(DetectorError, match=r"must be one image .* got ") as caught:
        OnnxDetector(path)
    assert f"{name} {shape}" in str(caught.value)


@pytest.mark.parametrize(
    "outputs",
    [
        {"output0": np.zeros((1, 84, 126), np.float32)},
        {"output0": np.zeros((1, 378, 85), np.float32)},
        {"output": np.zeros((1, CELLS, 5), np.float32)},
        {"probabilities": np.zeros((1, 1000), np.float32)},
        {"a": np.zeros((1, 5, 4), np.float32), "b": np.zeros((1, 6, 91), np.float32)},
        {"a": np.zeros((1, 5, 4), np.float32), "b": np.zeros((1, 5, 4), np.float32)},
        {
            "cls_0": np.zeros((1, 80, 8, 12), np.float32),
            "box_0": np.zeros((1, 4, 8, 12), np.float32),
        },
    ],
    ids=["YOLOv8", "YOLOv5", "no class", "classifier", "queries", "no names", "raw RTMDet"],
)
def test_unknown_outputs_are_refused(tmp_path: Path, outputs: dict[str, Array]) -> None:
    path = write(tmp_path / "odd.onnx", {**outputs})
    with pytest.raises(DetectorError, match=r"must be YOLOX's one .* or RTMDet's") as caught:
        OnnxDetector(path)
    for name, value in outputs.items():
        assert f"{name} {value.shape} {value.dtype}" in str(caught.value)


def test_an_input_of_sizes_without_labels_is_no_rt_detr(tmp_path: Path) -> None:
    inputs = [IMAGE_INPUT, ("orig_target_sizes", "INT64", [1, 2])]
    outputs = {"dets": DETR_BOXES, "labels": detr_logits(91, 1)}
    path = write(tmp_path / "odd.onnx", {**outputs}, inputs=inputs)
    with pytest.raises(DetectorError, match=r"got dets \(1, 2, 4\) float32, labels \(1, 2, 91\)"):
        OnnxDetector(path)


def test_a_graph_that_fails_when_it_runs(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Reshape", ["images", "shape"], ["output"])
    path = write(
        tmp_path / "fails.onnx",
        {"output": "FLOAT"},
        nodes=[node],
        inputs=[("images", "FLOAT", [1, 3, "h", "w"])],
        constants={"shape": np.array([1, 7, 11], np.int64)},
    )
    with pytest.raises(DetectorError, match="does not run on an image of 640x640") as caught:
        OnnxDetector(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"score_threshold": 50}, "score_threshold must be between 0 and 1, got 50"),
        ({"overlap_threshold": -1}, "overlap_threshold must be between 0 and 1, got -1"),
        ({"person_class": 3}, "one of the 3 classes of .*, got 3"),
        ({"person_class": -1}, "one of the 3 classes of .*, got -1"),
        (
            {"scaling": "bgr"},
            "scaling must be one of bgr_bytes, bgr_imagenet, rgb_unit, rgb_imagenet, got",
        ),
    ],
)
def test_invalid_settings_are_refused(yolox: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DetectorError, match=message):
        OnnxDetector(yolox, **settings)


def test_the_detector_runs_where_the_network_does(caplog: pytest.LogCaptureFixture) -> None:
    both = (CUDA_PROVIDER, CPU_PROVIDER)
    assert choose_providers(torch.device("cpu"), both) == [CPU_PROVIDER]
    expected = [(CUDA_PROVIDER, {"device_id": 1, "use_tf32": 0}), CPU_PROVIDER]
    assert choose_providers(torch.device("cuda", 1), both) == expected
    assert not caplog.records
    assert choose_providers(torch.device("cuda"), (CPU_PROVIDER,)) == [CPU_PROVIDER]
    (record,) = caplog.records
    assert "install onnxruntime-gpu" in record.message


@pytest.mark.filterwarnings("ignore:Specified provider")  # ONNX Runtime's own, of this test's lie
def test_a_gpu_that_does_not_load_is_told(
    yolox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if CUDA_PROVIDER in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    both = [CUDA_PROVIDER, CPU_PROVIDER]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    monkeypatch.delattr(onnxruntime, "preload_dlls", raising=False)  # as in older versions
    detector = OnnxDetector(yolox, score_threshold=0.73, device=torch.device("cuda"))
    (record,) = caplog.records
    assert "CUDA does not load" in record.message
    assert len(detector.detect(np.zeros((HEIGHT, WIDTH, 3), np.uint8))) == 0


@pytest.mark.filterwarnings("ignore:Specified provider")  # as above
def test_cuda_is_loaded_before_the_first_session(
    yolox: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if CUDA_PROVIDER in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    done: list[str] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, *given: object, **options: object) -> None:
            done.append("session")
            super().__init__(*given, **options)

    def load() -> None:
        done.append("CUDA")
        print("Failed to load libcublasLt.so.13")  # noqa: T201 - as ONNX Runtime does

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", load, raising=False)
    OnnxDetector(yolox)
    assert done == ["session"]
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: [CUDA_PROVIDER, CPU_PROVIDER]
    )
    OnnxDetector(yolox, device=torch.device("cuda"))
    assert done == ["session", "CUDA", "session"]
    assert capsys.readouterr().out == ""
