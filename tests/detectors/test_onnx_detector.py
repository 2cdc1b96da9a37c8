"""Detectors in ONNX files: graphs that answer with known boxes, or with what they see."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from smpler_model.detectors.learned import DetectorError
from smpler_model.detectors.onnx_detector import OnnxDetector, suppress_overlaps
from smpler_model.detectors.onnx_forms import DetrForm, RtDetrForm, YoloxForm, fit_image

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

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
    """Write a graph whose outputs are constants, or those of nodes where a type is given."""
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
    """(n, 3) column, row and stride of every cell, written out as YOLOX orders them."""
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
    """(1, n, 5 + 3): cell -> edges, objectness, class score; what else is there is no object."""
    cells = cell_table()
    column, row, stride = cells.T
    table = np.zeros((1, len(cells), 8), np.float32)
    table[0, :, 6] = 1.0  # another class is certain everywhere
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


@pytest.fixture(params=[False, True], ids=["relative", "decoded"])
def yolox(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One person found by cells of all strides, and one of little certainty."""
    people = {
        37: (PERSON_EDGES, 0.9, 0.8),
        100: (PERSON_EDGES + 1, 0.9, 0.7),
        CELLS - 2: (PERSON_EDGES - 1, 0.8, 0.7),
        5: (np.array([70.0, 5, 90, 60]), 0.5, 0.6),
    }
    table = yolox_table(people, decoded=request.param)
    return write(tmp_path / "yolox.onnx", {"output": table})


# Sizes, and what the letterbox does to them.
LETTERBOXES = {
    (64, 96): (1.0, 1.0),
    (128, 192): (0.5, 0.5),
    (32, 48): (2.0, 2.0),
    (600, 96): (64 / 600, 10 / 96),  # 10.24 columns, of which 10 are there
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
    if expected[0] == expected[2]:  # in the grey, right of a narrow image
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


def test_yolox_threshold_and_class(yolox: Path) -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert len(OnnxDetector(yolox, score_threshold=0.25).detect(image)) == 2
    assert len(OnnxDetector(yolox, score_threshold=0.73).detect(image)) == 0
    every = OnnxDetector(yolox, score_threshold=0.25, overlap_threshold=0.99).detect(image)
    np.testing.assert_allclose(every.scores, [0.72, 0.63, 0.56, 0.3], rtol=1e-6)
    other = OnnxDetector(yolox, score_threshold=0.85, person_class=1).detect(image)
    np.testing.assert_allclose(other.scores, [0.9], rtol=1e-6)


def test_yolox_with_a_fourth_stride(tmp_path: Path) -> None:
    table = np.zeros((1, 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2, 6), np.float32)
    table[0, -1] = [0.5, 0.5, 0, 0, 1, 0.9]  # the last cell of stride 64, its own size
    path = write(
        tmp_path / "p6.onnx", {"output": table}, inputs=[("x", "FLOAT", [1, 3, 128, 128])]
    )
    found = OnnxDetector(path).detect(np.zeros((128, 128, 3), np.uint8))
    np.testing.assert_allclose(found.boxes_xyxy, [[63.5, 63.5, 127, 127]])


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


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "UINT8"])
def test_yolox_sees_blue_first_and_grey_beside(tmp_path: Path, kind: str, layout: str) -> None:
    path = seeing_yolox(tmp_path / "seeing.onnx", kind, layout)
    image = np.full((128, 96, 3), SEEN, np.uint8)  # fills half the letterbox
    for index, level in enumerate(SEEN[::-1]):
        detector = OnnxDetector(path, score_threshold=0.1, person_class=index)
        assert detector.input.channels_first == (layout == "nchw")
        scores = detector.detect(image).scores
        np.testing.assert_allclose(scores, [(level + 114) / 2 / 255], rtol=2e-3)


def test_scaling_can_be_told(tmp_path: Path) -> None:
    path = seeing_yolox(tmp_path / "seeing.onnx", "FLOAT", "nchw")
    detector = OnnxDetector(path, score_threshold=0.001, person_class=0, scaling="rgb_unit")
    scores = detector.detect(np.full((HEIGHT, WIDTH, 3), SEEN, np.uint8)).scores
    np.testing.assert_allclose(scores, [SEEN[0] / 255 / 255], rtol=1e-5)


DETR_BOXES = np.array([[[0.5, 0.5, 0.25, 0.5], [0.1, 0.1, 0.4, 0.4]]], np.float32)


def detr_logits(classes: int, person: int) -> Array:
    """The second query is a person at 0.75, and both are surely something else."""
    logits = np.full((1, 2, classes), -9, np.float32)
    logits[0, :, (person + 2) % classes] = 9
    logits[0, 1, person] = np.log(3)
    return logits


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


def test_detr_with_masks_beside_its_boxes(tmp_path: Path) -> None:
    masks = np.zeros((1, 2, 16, 24), np.float32)
    outputs = {"dets": DETR_BOXES, "labels": detr_logits(91, 1), "masks": masks}
    detector = OnnxDetector(write(tmp_path / "seg.onnx", {**outputs}))
    assert len(detector.detect(np.zeros((10, 10, 3), np.uint8))) == 1


def test_detr_sees_standardised_red_green_blue(tmp_path: Path) -> None:
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
def test_rt_detr_boxes_refer_to_the_sizes_it_is_given(tmp_path: Path, kind: str) -> None:
    """Boxes are shares of the size input, so that its order, width first, is seen too."""
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


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    letterboxed=st.booleans(),
)
def test_an_image_fits_whatever_its_size(height: int, width: int, letterboxed: bool) -> None:
    image = np.full((height, width, 3), SEEN, np.uint8)
    fitted, factors = fit_image(image, (HEIGHT, WIDTH), letterboxed=letterboxed)
    assert fitted.shape == (HEIGHT, WIDTH, 3)
    columns, rows = np.rint(factors * [width, height]).astype(int)
    assert (fitted[:rows, :columns] == SEEN).all()
    assert (fitted[rows:] == 114).all()
    assert (fitted[:, columns:] == 114).all()
    assert rows == HEIGHT or columns == WIDTH
    if not letterboxed:
        assert (rows, columns) == (HEIGHT, WIDTH)


@given(seed=st.integers(0, 1000), threshold=st.floats(0.1, 0.9))
def test_what_stays_does_not_overlap_and_what_goes_does(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (30, 2))
    edges = np.concatenate([corners, corners + rng.uniform(5, 40, (30, 2))], 1)
    scores = rng.uniform(0.1, 1, 30)
    stays = suppress_overlaps(edges, scores, threshold)
    assert (np.diff(scores[stays]) <= 0).all()
    meet = np.minimum(edges[:, None, 2:], edges[None, :, 2:]) - np.maximum(
        edges[:, None, :2], edges[None, :, :2]
    )
    shared = meet.clip(0).prod(-1)
    areas = (edges[:, 2:] - edges[:, :2]).prod(1)
    overlaps = shared / (areas[:, None] + areas - shared)
    among = overlaps[np.ix_(stays, stays)] - np.eye(len(stays))
    assert (among <= threshold + 1e-5).all()
    for index in set(range(30)) - set(stays.tolist()):
        better = stays[scores[stays] >= scores[index]]
        assert overlaps[index, better].max() > threshold - 1e-5


def test_onnxruntime_is_missing(yolox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DetectorError, match=r"needs the package onnxruntime.*pip install"):
        OnnxDetector(yolox)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"must be an ONNX file, got .*gone.onnx; check the"):
        OnnxDetector(tmp_path / "gone.onnx")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x08\x08\x12\x00" * 50])
def test_not_an_onnx_file(tmp_path: Path, content: bytes) -> None:
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
def test_inputs_that_are_unknown(tmp_path: Path, inputs: list[Any]) -> None:
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
        {"dets": np.zeros((1, 5, 5), np.float32), "labels": np.zeros((1, 5), np.int64)},
    ],
    ids=["YOLOv8", "YOLOv5", "no class", "classifier", "queries", "no names", "RTMDet"],
)
def test_outputs_that_are_unknown(tmp_path: Path, outputs: dict[str, Array]) -> None:
    path = write(tmp_path / "odd.onnx", {**outputs})
    with pytest.raises(DetectorError, match=r"must be YOLOX's one .* or RT-DETR's") as caught:
        OnnxDetector(path)
    for name, value in outputs.items():
        assert f"{name} {value.shape} {value.dtype}" in str(caught.value)


def test_sizes_go_in_but_no_labels_come_out(tmp_path: Path) -> None:
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
        ({"scaling": "bgr"}, "scaling must be one of bgr_bytes, rgb_unit, rgb_imagenet, got"),
        ({"providers": ["TpuExecutionProvider"]}, "providers must be among .*CPUExecution.* got"),
    ],
)
def test_settings_that_cannot_be(yolox: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DetectorError, match=message):
        OnnxDetector(yolox, **settings)
