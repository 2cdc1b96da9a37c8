"""Forms of detectors in ONNX files: their inputs, and how their outputs are identified and read.

Four forms are known. All boxes leave this module as edges in pixels of the network's input.

- YOLOX (Ge et al., 2021): one tensor (1, n, 5 + classes) of centre, size, objectness and class
  scores for each cell of the grids of strides 8, 16, 32 (and 64). Centre and log size are relative
  to the cell, or already decoded to pixels. Input: BGR 0 to 255, top left in a grey letterbox.
- DETR with sigmoid scores, such as RF-DETR and Deformable DETR (Zhu et al., 2021): boxes (1, q, 4)
  of centre and size as fractions of the image, and logits (1, q, classes). Input: RGB stretched to
  the network's size, standardised by ImageNet's mean and deviation.
- RT-DETR (Zhao et al., 2024) and D-FINE with their postprocessing inside: a second input of two
  integers is the image size that boxes refer to; labels (1, q), boxes (1, q, 4) of edges, and
  scores (1, q). Input: RGB 0 to 1, stretched.
- RTMDet (Lyu et al., 2022) as exported by MMDeploy, with non-maximum suppression inside: dets
  (1, n, 5) of edges and score, and labels (1, n). Input: BGR standardised by ImageNet's mean and
  deviation, top left in a grey letterbox. Its raw heads, one tensor per scale, are not supported;
  other networks exported by MMDeploy have the same outputs: set `scaling` for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.detectors.onnx_images import Scaling

OnnxOutputs = Mapping[str, NDArray[Any]]

SUPPORTED = (
    "YOLOX's one (1, n, 5 + classes) for strides 8, 16, 32 (and 64), DETR's boxes (1, q, 4) with "
    "logits (1, q, classes), RT-DETR's labels (1, q), boxes (1, q, 4) and scores (1, q) with an "
    "input of sizes (1, 2), or RTMDet's dets (1, n, 5) with labels (1, n)"
)

_STRIDES = (8, 16, 32, 64)
_COCO_SPARSE = 91  # classes under COCO's original numbers; person is 1 there, else 0


class Form(Protocol):
    """The inputs and outputs of one family of networks."""

    @property
    def scaling(self) -> Scaling:
        """The pixels' scaling, unless the file takes bytes."""

    @property
    def letterboxed(self) -> bool:
        """Whether the image keeps its aspect ratio, padded with grey."""

    @property
    def overlapping(self) -> bool:
        """Whether a person can be found several times."""

    @property
    def classes(self) -> int | None:
        """Number of classes; None if the file does not state it."""

    @property
    def person_class(self) -> int:
        """Index of the class person if the network was trained on COCO."""

    def score(self, outputs: OnnxOutputs, person_class: int) -> Floats:
        """Return the confidence that each of the n boxes is a person, (n) from 0 to 1."""

    def locate(self, outputs: OnnxOutputs, chosen: NDArray[np.intp]) -> Floats:
        """Return edges of the m chosen boxes, (m, 4) pixels of the input."""


@dataclass(frozen=True)
class YoloxForm:
    """Boxes of grid cells.

    Attributes:
        name: name of the output.
        classes: number of classes.
        cells: (n, 2) column and row of each cell within its grid.
        strides: (n, 1) size of each cell, pixels.
        decoded: whether boxes are already in pixels.
    """

    name: str
    classes: int
    cells: Floats
    strides: Floats
    decoded: bool

    scaling: Scaling = "bgr_bytes"
    letterboxed: bool = True
    overlapping: bool = True
    person_class: int = 0

    def score(self, outputs: OnnxOutputs, person_class: int) -> Floats:
        """Return objectness times class score."""
        table = outputs[self.name][0].astype(np.float64)  # (n, 5 + classes)
        return np.asarray(table[:, 4] * table[:, 5 + person_class], np.float64)

    def locate(self, outputs: OnnxOutputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen cells' boxes."""
        table = outputs[self.name][0, chosen, :4].astype(np.float64)
        centres, sizes = table[:, :2], table[:, 2:]
        if not self.decoded:
            strides = self.strides[chosen]
            centres = (centres + self.cells[chosen]) * strides
            sizes = np.exp(np.minimum(sizes, 20)) * strides  # no image is e^20 cells wide
        return _edges(centres, sizes)


@dataclass(frozen=True)
class DetrForm:
    """Boxes of queries, one query per object.

    Attributes:
        boxes: name of the output with the boxes.
        logits: name of the output with the logits.
        classes: number of classes.
        size: (height, width) of the input.
    """

    boxes: str
    logits: str
    classes: int
    size: tuple[int, int]

    scaling: Scaling = "rgb_imagenet"
    letterboxed: bool = False
    overlapping: bool = False

    @property
    def person_class(self) -> int:
        """1 under COCO's original 91 numbers, else 0."""
        return 1 if self.classes == _COCO_SPARSE else 0

    def score(self, outputs: OnnxOutputs, person_class: int) -> Floats:
        """Return the sigmoid of the class's logit."""
        logits = outputs[self.logits][0, :, person_class].astype(np.float64)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)  # cannot overflow

    def locate(self, outputs: OnnxOutputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen queries' boxes."""
        height, width = self.size
        boxes = outputs[self.boxes][0, chosen].astype(np.float64) * (width, height, width, height)
        return _edges(boxes[:, :2], boxes[:, 2:])


@dataclass(frozen=True)
class RtDetrForm:
    """Boxes of queries with the best class of each.

    Attributes:
        labels: name of the output with the classes.
        boxes: name of the output with the boxes.
        scores: name of the output with the scores.
    """

    labels: str
    boxes: str
    scores: str

    scaling: Scaling = "rgb_unit"
    letterboxed: bool = False
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: OnnxOutputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for other classes."""
        scores = outputs[self.scores][0].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: OnnxOutputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen queries' boxes."""
        return np.asarray(outputs[self.boxes][0, chosen], np.float64)


@dataclass(frozen=True)
class RtmDetForm:
    """Boxes after non-maximum suppression, with score and class of each.

    Attributes:
        dets: name of the output with boxes and scores.
        labels: name of the output with the classes.
    """

    dets: str
    labels: str

    scaling: Scaling = "bgr_imagenet"
    letterboxed: bool = True
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: OnnxOutputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for other classes."""
        scores = outputs[self.dets][0, :, 4].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: OnnxOutputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the edges of the chosen boxes."""
        return np.asarray(outputs[self.dets][0, chosen, :4], np.float64)


def identify_form(
    outputs: OnnxOutputs, size: tuple[int, int], *, takes_sizes: bool
) -> Form | None:
    """Return the form of a network's outputs for one image, None if unknown.

    Args:
        outputs: outputs by name.
        size: (height, width) of the input.
        takes_sizes: whether the network has an input for the image's size.
    """
    if takes_sizes:
        return _identify_rt_detr(outputs)
    tables = {name: array for name, array in outputs.items() if array.ndim == 3}
    rtm_det = _identify_rtm_det(outputs)
    if rtm_det:
        return rtm_det
    if len(tables) == 1:
        return _identify_yolox(*next(iter(tables.items())), size)
    return _identify_detr(tables, size)


def _identify_yolox(name: str, table: NDArray[Any], size: tuple[int, int]) -> YoloxForm | None:
    _, n, columns = table.shape
    for strides in (_STRIDES[:3], _STRIDES):
        cells, sides = _grid(size, strides)
        if len(cells) == n and columns > 5:
            # Offsets from a cell are small; pixels reach from one side of the input to the other.
            decoded = bool(table[0, :, :2].max() > max(size) / 2)
            return YoloxForm(name, columns - 5, cells, sides, decoded)
    return None


def _identify_detr(tables: OnnxOutputs, size: tuple[int, int]) -> DetrForm | None:
    if len(tables) != 2:
        return None
    names = [name for name, table in tables.items() if table.shape[2] == 4]
    if len(names) == 2:  # four classes: only the names can tell boxes from logits
        names = [name for name in names if "box" in name.lower() or "det" in name.lower()]
    if len(names) != 1:
        return None
    (boxes,) = names
    (logits,) = tables.keys() - {boxes}
    if tables[boxes].shape[:2] != tables[logits].shape[:2]:
        return None
    return DetrForm(boxes, logits, tables[logits].shape[2], size)


def _identify_rt_detr(outputs: OnnxOutputs) -> RtDetrForm | None:
    rows = {name: array for name, array in outputs.items() if array.ndim == 2}
    labels = [name for name, array in rows.items() if array.dtype.kind in "iu"]
    scores = [name for name, array in rows.items() if array.dtype.kind == "f"]
    boxes = [n for n, array in outputs.items() if array.ndim == 3 and array.shape[2] == 4]
    if not len(labels) == len(scores) == len(boxes) == 1:
        return None
    form = RtDetrForm(labels[0], boxes[0], scores[0])
    q = outputs[form.boxes].shape[1]
    fits = outputs[form.labels].shape[1] == q == outputs[form.scores].shape[1]
    return form if fits else None


def _identify_rtm_det(outputs: OnnxOutputs) -> RtmDetForm | None:
    dets = [name for name, array in outputs.items() if array.ndim == 3 and array.shape[2] == 5]
    labels = [n for n, array in outputs.items() if array.ndim == 2 and array.dtype.kind in "iu"]
    if len(dets) != 1 or len(labels) != 1:
        return None
    form = RtmDetForm(dets[0], labels[0])
    fits = outputs[form.dets].shape[:2] == outputs[form.labels].shape
    return form if fits else None


def _grid(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return (n, 2) column and row and (n, 1) stride of all cells, finest first, row by row."""
    height, width = size
    cells = [np.indices((height // s, width // s))[::-1].reshape(2, -1).T for s in strides]
    sides = np.repeat(strides, [len(grid) for grid in cells])
    return np.concatenate(cells).astype(np.float64), sides[:, None].astype(np.float64)


def _edges(centres: Floats, sizes: Floats) -> Floats:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
