"""RTMDet as exported by MMDeploy: boxes with scores, and labels."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.onnx_detector import OnnxDetector
from smpler_model.detectors.onnx_forms import RtmDetForm
from smpler_model.detectors.onnx_images import scale_pixels
from smpler_model.network.config import IMAGENET_MEAN, IMAGENET_STD

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.smpler_model.detectors.onnx_graphs import (  # noqa: E402 - it needs onnx
    HEIGHT,
    PERSON_EDGES,
    SEEN,
    WIDTH,
    write,
)

DETS = np.array(
    [[[*PERSON_EDGES, 0.9], [1, 2, 30, 40, 0.95], [50, 5, 90, 60, 0.7], [0, 0, 9, 9, 0.2]]],
    np.float32,
)
LABELS = np.array([[0, 7, 0, 0]], np.int64)


def test_label_0_is_person(tmp_path: Path) -> None:
    detector = OnnxDetector(write(tmp_path / "rtm.onnx", {"dets": DETS, "labels": LABELS}))
    assert isinstance(detector.form, RtmDetForm)
    found = detector.detect(np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8))
    np.testing.assert_allclose(found.scores, [0.9, 0.7], rtol=1e-6)
    np.testing.assert_allclose(found.boxes_xyxy, 2 * DETS[0, [0, 2], :4] - 0.5, atol=1e-5)


def test_empty_detections_in_the_grey_image_are_recognised(tmp_path: Path) -> None:
    nothing = {"dets": np.empty((1, 0, 5), np.float32), "labels": np.empty((1, 0), np.int64)}
    detector = OnnxDetector(write(tmp_path / "rtm.onnx", nothing))
    assert isinstance(detector.form, RtmDetForm)
    assert len(detector.detect(np.zeros((HEIGHT, WIDTH, 3), np.uint8))) == 0


def test_additional_masks_are_ignored(tmp_path: Path) -> None:
    masks = np.zeros((1, 4, 8, 12), np.float32)
    outputs = {"dets": DETS, "labels": LABELS, "masks": masks}
    assert isinstance(OnnxDetector(write(tmp_path / "rtm.onnx", outputs)).form, RtmDetForm)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rtm.onnx", {"dets": DETS, "labels": LABELS[:, :2]})
    with pytest.raises(DetectorError, match="RTMDet's dets"):
        OnnxDetector(path)


def test_rtm_det_gets_standardised_bgr(tmp_path: Path) -> None:
    helper = onnx.helper
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),  # (1, 3)
        helper.make_node("Unsqueeze", ["means", "one"], ["row"]),
        helper.make_node("Concat", ["row", "rest"], ["dets"], axis=2),
    ]
    constants = {"one": np.array([1], np.int64), "rest": np.array([[[90, 0.9]]], np.float32)}
    outputs = {"dets": "FLOAT", "labels": np.array([[0]], np.int64)}
    path = write(tmp_path / "rtm.onnx", outputs, nodes=nodes, constants=constants)
    detector = OnnxDetector(path)
    rgb = np.broadcast_to(SEEN.astype(np.uint8), (HEIGHT, WIDTH, 3))
    expected = ((SEEN / 255 - IMAGENET_MEAN) / IMAGENET_STD)[::-1]
    shown = detector._run(np.ascontiguousarray(rgb), detector.form.scaling)["dets"][0, 0, :3]
    np.testing.assert_allclose(shown, expected, atol=1e-4)
    np.testing.assert_allclose(scale_pixels(rgb, "bgr_imagenet")[0, 0], expected, atol=1e-5)
