"""What detectors in ONNX files want for input and how their outputs are read.

Three forms are known. All boxes leave this module as edges in pixels of the network's input.

- YOLOX (Ge et al., 2021): one tensor (1, n, 5 + classes) of centre, size, objectness and class
  scores for each cell of the grids of strides 8, 16, 32 (and 64). Centre and log size are relative
  to the cell, or decoded to pixels already. Input: BGR 0 to 255, top left in a grey letterbox.
- DETR with sigmoid scores, such as RF-DETR and Deformable DETR (Zhu et al., 2021): boxes (1, q, 4)
  of centre and size over those of the image, and logits (1, q, classes). Input: RGB stretched to
  the network's size, standardised by ImageNet's mean and deviation.
- RT-DETR (Zhao et al., 2024) and D-FINE with their last step inside: a second input of two
  integers takes the size that boxes refer to; labels (1, q), boxes (1, q, 4) of edges, and scores
  (1, q). Input: RGB 0 to 1, stretched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.config import IMAGENET_MEAN, IMAGENET_STD

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Outputs = Mapping[str, NDArray[Any]]
Scaling = Literal["bgr_bytes", "rgb_unit", "rgb_imagenet"]

SUPPORTED = (
    "YOLOX's one (1, n, 5 + classes) for strides 8, 16, 32 (and 64), DETR's boxes (1, q, 4) with "
    "logits (1, q, classes), or RT-DETR's labels (1, q), boxes (1, q, 4) and scores (1, q) with "
    "an input of sizes (1, 2)"
)

_STRIDES = (8, 16, 32, 64)
_GREY = 114
_COCO_SPARSE = 91  # classes where COCO's own numbers are kept; person is 1 there, else 0


class Form(Protocol):
    """One way of asking a network for boxes."""

    @property
    def scaling(self) -> Scaling:
        """Which numbers the input's pixels are, unless the file asks for bytes."""

    @property
    def letterboxed(self) -> bool:
        """Whether the image keeps its aspect, with grey beside it."""

    @property
    def overlapping(self) -> bool:
        """Whether one person is found several times."""

    @property
    def classes(self) -> int | None:
        """How many classes there are, None where the file does not tell."""

    @property
    def person_class(self) -> int:
        """Index of person if the network was trained on COCO."""

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return how certain each of the n boxes is a person, (n) from 0 to 1."""

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return edges of the (m) chosen boxes, (m, 4) pixels of the input."""


@dataclass(frozen=True)
class YoloxForm:
    """Boxes of grid cells.

    Attributes:
        name: of the output.
        classes: how many.
        cells: (n, 2) column and row of each cell, counted in its grid.
        strides: (n, 1) size of each cell, pixels.
        decoded: whether boxes are pixels already.
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

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return objectness times class score."""
        table = outputs[self.name][0].astype(np.float64)  # (n, 5 + classes)
        return np.asarray(table[:, 4] * table[:, 5 + person_class], np.float64)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen cells' edges."""
        table = outputs[self.name][0, chosen, :4].astype(np.float64)
        centres, sizes = table[:, :2], table[:, 2:]
        if not self.decoded:
            strides = self.strides[chosen]
            centres = (centres + self.cells[chosen]) * strides
            sizes = np.exp(np.minimum(sizes, 20)) * strides  # no image is e^20 cells wide
        return _edges(centres, sizes)


@dataclass(frozen=True)
class DetrForm:
    """Boxes of queries, one for each object.

    Attributes:
        boxes: name of that output.
        logits: likewise.
        classes: how many.
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
        """1 among COCO's own 91 numbers; else 0."""
        return 1 if self.classes == _COCO_SPARSE else 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the sigmoid of the class' logit."""
        logits = outputs[self.logits][0, :, person_class].astype(np.float64)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float64)  # cannot overflow

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen queries' edges."""
        height, width = self.size
        boxes = outputs[self.boxes][0, chosen].astype(np.float64) * (width, height, width, height)
        return _edges(boxes[:, :2], boxes[:, 2:])


@dataclass(frozen=True)
class RtDetrForm:
    """Boxes of queries with the best class of each.

    Attributes:
        labels: name of that output.
        boxes: likewise.
        scores: likewise.
    """

    labels: str
    boxes: str
    scores: str

    scaling: Scaling = "rgb_unit"
    letterboxed: bool = False
    overlapping: bool = False
    classes: None = None
    person_class: int = 0

    def score(self, outputs: Outputs, person_class: int) -> Floats:
        """Return the scores of people, 0 for anything else."""
        scores = outputs[self.scores][0].astype(np.float64)
        return np.where(outputs[self.labels][0] == person_class, scores, 0.0)

    def locate(self, outputs: Outputs, chosen: NDArray[np.intp]) -> Floats:
        """Return the chosen queries' edges."""
        return np.asarray(outputs[self.boxes][0, chosen], np.float64)


def identify_form(outputs: Outputs, size: tuple[int, int], *, takes_sizes: bool) -> Form | None:
    """Return the form that a network's answer to one image has, None for an unknown one.

    Args:
        outputs: by name.
        size: (height, width) of the input.
        takes_sizes: whether the network has an input of sizes.
    """
    if takes_sizes:
        return _identify_rt_detr(outputs)
    tables = {name: array for name, array in outputs.items() if array.ndim == 3}
    if len(tables) == 1:
        return _identify_yolox(*next(iter(tables.items())), size)
    return _identify_detr(tables, size)


def fit_image(rgb: Bytes, size: tuple[int, int], *, letterboxed: bool) -> tuple[Bytes, Floats]:
    """Give an image a network's size.

    Args:
        rgb: (h, w, 3).
        size: (height, width) to return.
        letterboxed: keep the aspect, top left, grey beside it; else stretch.

    Returns:
        (height, width, 3) pixels, and the (2) factors of x and y that turned edges into theirs.
    """
    (height, width), (rows, columns) = rgb.shape[:2], size
    if letterboxed:
        if height * columns > width * rows:
            columns = max(1, width * rows // height)
        else:
            rows = max(1, height * columns // width)
    resized = cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_LINEAR)
    fitted = np.full((*size, 3), _GREY, np.uint8)
    fitted[:rows, :columns] = resized
    return fitted, np.array([columns / width, rows / height])


def scale_pixels(rgb: Bytes, scaling: Scaling) -> NDArray[np.float32]:
    """Turn (h, w, 3) bytes into the numbers that a network was trained with, channels last."""
    pixels = rgb.astype(np.float32)
    if scaling == "bgr_bytes":
        return pixels[..., ::-1]
    pixels /= 255
    if scaling == "rgb_imagenet":
        pixels -= np.asarray(IMAGENET_MEAN, np.float32)
        pixels /= np.asarray(IMAGENET_STD, np.float32)
    return pixels


def _identify_yolox(name: str, table: NDArray[Any], size: tuple[int, int]) -> YoloxForm | None:
    _, n, columns = table.shape
    for strides in (_STRIDES[:3], _STRIDES):
        cells, sides = _grid(size, strides)
        if len(cells) == n and columns > 5:
            # Offsets from a cell are small; pixels reach from one side of the input to the other.
            decoded = bool(table[0, :, :2].max() > max(size) / 2)
            return YoloxForm(name, columns - 5, cells, sides, decoded)
    return None


def _identify_detr(tables: Outputs, size: tuple[int, int]) -> DetrForm | None:
    if len(tables) != 2:
        return None
    names = [name for name, table in tables.items() if table.shape[2] == 4]
    if len(names) == 2:  # four classes: only the names can tell
        names = [name for name in names if "box" in name.lower() or "det" in name.lower()]
    if len(names) != 1:
        return None
    (boxes,) = names
    (logits,) = tables.keys() - {boxes}
    if tables[boxes].shape[:2] != tables[logits].shape[:2]:
        return None
    return DetrForm(boxes, logits, tables[logits].shape[2], size)


def _identify_rt_detr(outputs: Outputs) -> RtDetrForm | None:
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


def _grid(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return (n, 2) column and row and (n, 1) stride of all cells, finest first, row by row."""
    height, width = size
    cells = [np.indices((height // s, width // s))[::-1].reshape(2, -1).T for s in strides]
    sides = np.repeat(strides, [len(grid) for grid in cells])
    return np.concatenate(cells).astype(np.float64), sides[:, None].astype(np.float64)


def _edges(centres: Floats, sizes: Floats) -> Floats:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
