"""Identifies which form of `onnx_forms` a network's outputs have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.detectors.onnx_forms import (
    DetrForm,
    Form,
    Outputs,
    RtDetrForm,
    RtmDetForm,
    YoloxForm,
)

SUPPORTED = (
    "YOLOX's one (1, n, 5 + classes) for strides 8, 16, 32 (and 64), DETR's boxes (1, q, 4) with "
    "logits (1, q, classes), RT-DETR's labels (1, q), boxes (1, q, 4) and scores (1, q) with an "
    "input of sizes (1, 2), or RTMDet's dets (1, n, 5) with labels (1, n)"
)

_STRIDES = (8, 16, 32, 64)


def identify_form(outputs: Outputs, size: tuple[int, int], *, takes_sizes: bool) -> Form | None:
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


def _identify_detr(tables: Outputs, size: tuple[int, int]) -> DetrForm | None:
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


def _identify_rtm_det(outputs: Outputs) -> RtmDetForm | None:
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
