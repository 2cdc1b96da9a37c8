"""The input that each form gives to the network, and how it reads the outputs."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.detectors.onnx_detector import OnnxDetector
from smpler_model.detectors.onnx_forms import DetrForm, RtDetrForm, YoloxForm

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.smpler_model.detectors.onnx_graphs import (  # noqa: E402 - it needs onnx
    DETR_BOXES,
    HEIGHT,
    PERSON_EDGES,
    SEEN,
    WIDTH,
    detr_logits,
    seeing_yolox,
    write,
)

# Image sizes, and the letterbox's scale factors.
LETTERBOXES = {
    (64, 96): (1.0, 1.0),
    (128, 192): (0.5, 0.5),
    (32, 48): (2.0, 2.0),
    (600, 96): (64 / 600, 10 / 96),  # 10.24 columns, of which 10 remain
    (77, 131): (56 / 77, 96 / 131),
}


@pytest.mark.parametrize("size", LETTERBOXES, ids=lambda s: f"{s[1]}x{s[0]}")
def test_yolox_box_with_the_letterbox_undone(yolox: Path, size: tuple[int, int]) -> None:
    height, width = size
    detector = OnnxDetector(yolox, score_threshold=0.4)
    found = detector.detect(np.zeros((height, width, 3), np.uint8))
    vertical, horizontal = LETTERBOXES[size]
    edges = PERSON_EDGES / [horizontal, vertical, horizontal, vertical]
    last = np.array([width, height, width, height]) - 1
    expected = (edges - 0.5).clip(0, last)
    if expected[0] == expected[2]:  # in the padding, right of a narrow image
        assert len(found) == 0
        return
    np.testing.assert_allclose(found.boxes_xyxy, [expected], atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.72], rtol=1e-6)


def test_yolox_is_read_from_the_file(yolox: Path) -> None:
    detector = OnnxDetector(yolox)
    assert isinstance(detector.form, YoloxForm)
    assert detector.form.classes == 3
    assert detector.input.size == (HEIGHT, WIDTH)
    assert detector.input.channels_first
    assert detector.input.dtype is np.float32


def test_yolox_with_a_fourth_stride(tmp_path: Path) -> None:
    table = np.zeros((1, 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2, 6), np.float32)
    table[0, -1] = [0.5, 0.5, 0, 0, 1, 0.9]  # the last cell of stride 64, as large as the cell
    path = write(
        tmp_path / "p6.onnx", {"output": table}, inputs=[("x", "FLOAT", [1, 3, 128, 128])]
    )
    found = OnnxDetector(path).detect(np.zeros((128, 128, 3), np.uint8))
    np.testing.assert_allclose(found.boxes_xyxy, [[63.5, 63.5, 127, 127]])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "UINT8"])
def test_yolox_gets_bgr_in_a_grey_letterbox(tmp_path: Path, kind: str, layout: str) -> None:
    path = seeing_yolox(tmp_path / "seeing.onnx", kind, layout)
    image = np.full((128, 96, 3), SEEN, np.uint8)  # fills half the letterbox
    for index, level in enumerate(SEEN[::-1]):
        detector = OnnxDetector(path, score_threshold=0.1, person_class=index)
        assert detector.input.channels_first == (layout == "nchw")
        scores = detector.detect(image).scores
        np.testing.assert_allclose(scores, [(level + 114) / 2 / 255], rtol=2e-3)


@pytest.mark.parametrize(
    ("names", "classes", "person"),
    [
        (("dets", "labels"), 91, 1),
        (("dets", "labels"), 4, 0),
        (("pred_boxes", "logits"), 80, 0),
        (("boxes", "logits"), 91, 1),
    ],
)
@pytest.mark.parametrize("size", [(64, 96), (31, 500)], ids=lambda s: f"{s[1]}x{s[0]}")
def test_detr_box(
    tmp_path: Path, names: tuple[str, str], classes: int, person: int, size: tuple[int, int]
) -> None:
    boxes, logits = names
    outputs = {logits: detr_logits(classes, person), boxes: DETR_BOXES}
    detector = OnnxDetector(write(tmp_path / "detr.onnx", {**outputs}))
    assert detector.form == DetrForm(boxes, logits, classes, (HEIGHT, WIDTH))
    height, width = size
    found = detector.detect(np.zeros((height, width, 3), np.uint8))
    expected = [0, 0, 0.3 * width - 0.5, 0.3 * height - 0.5]
    np.testing.assert_allclose(found.boxes_xyxy, [expected], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.75], rtol=1e-6)


def test_detr_with_additional_masks(tmp_path: Path) -> None:
    masks = np.zeros((1, 2, 16, 24), np.float32)
    outputs = {"dets": DETR_BOXES, "labels": detr_logits(91, 1), "masks": masks}
    detector = OnnxDetector(write(tmp_path / "seg.onnx", {**outputs}))
    assert len(detector.detect(np.zeros((10, 10, 3), np.uint8))) == 1


def test_detr_gets_standardised_rgb(tmp_path: Path) -> None:
    """The logit of each of three queries is the mean of one channel."""
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),
        node("Unsqueeze", ["means", "last"], ["logits"]),
    ]
    boxes = np.array([[[0.5, 0.5, 0.1 * i, 0.5] for i in (1, 2, 3)]], np.float32)
    path = write(
        tmp_path / "seeing.onnx",
        {"boxes": boxes, "logits": "FLOAT"},
        nodes=nodes,
        constants={"last": np.array([2], np.int64)},
    )
    found = OnnxDetector(path, score_threshold=0.01).detect(np.full((100, 100, 3), SEEN, np.uint8))
    standardised = (SEEN / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-standardised)), rtol=1e-5)
    widths = found.boxes_xyxy[:, 2] - found.boxes_xyxy[:, 0]
    np.testing.assert_allclose(widths, [10, 20, 30], rtol=1e-5)


@pytest.mark.parametrize("kind", ["INT64", "INT32"])
def test_rt_detr_boxes_refer_to_the_size_input(tmp_path: Path, kind: str) -> None:
    """Boxes are fractions of the size input, so that its order, width first, is tested too."""
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["orig_target_sizes"], ["sizes"], to=onnx.TensorProto.FLOAT),
        node("Concat", ["sizes", "sizes"], ["twice"], axis=1),
        node("Mul", ["twice", "shares"], ["boxes"]),
    ]
    shares = np.array([[[0.1, 0.2, 0.3, 0.6], [0.5, 0.5, 0.9, 0.9], [0, 0, 1, 1]]], np.float32)
    path = write(
        tmp_path / "rtdetr.onnx",
        {
            "labels": np.array([[0, 0, 2]]),
            "boxes": "FLOAT",
            "scores": np.array([[0.6, 0.9, 0.95]], np.float32),
        },
        nodes=nodes,
        inputs=[
            ("images", "FLOAT", ["N", 3, HEIGHT, WIDTH]),
            ("orig_target_sizes", kind, ["N", 2]),
        ],
        constants={"shares": shares},
    )
    detector = OnnxDetector(path)
    assert isinstance(detector.form, RtDetrForm)
    found = detector.detect(np.zeros((200, 400, 3), np.uint8))
    expected = np.array([[200, 100, 360, 180], [40, 40, 120, 120]]) - 0.5
    np.testing.assert_allclose(found.boxes_xyxy, expected, atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], rtol=1e-6)
    detector.reset()
    np.testing.assert_array_equal(
        detector.detect(np.zeros((200, 400, 3), np.uint8)).boxes_xyxy, found.boxes_xyxy
    )
