"""Import torchvision even if its compiled operators do not fit the installed torch.

timm and torchvision's detectors need torchvision. When its build and torch's differ (a CUDA build
of torchvision with a CPU-only torch, for instance) its shared library does not load, and
`import torchvision` raises "operator torchvision::nms does not exist". It registers only its two
non-maximum suppressions without a guard and has Python replacements for all other operators that
its detectors need, so supplying these two suffices.
"""

import importlib
import inspect
import logging
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_FAILURE = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> ModuleType:
    """Import torchvision, with a plain non-maximum suppression if its own cannot load.

    In that case one warning with a remedy is logged; results are the same, only slower.

    Raises:
        ImportError: torchvision is not installed.
        RuntimeError: torchvision fails for another reason than its missing operators.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _FAILURE not in str(error):
            raise
    _define_operators()
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    torchvision = importlib.import_module("torchvision")
    _use_plain_operators(torchvision)
    logger.warning(
        "torchvision %s cannot load its compiled operators beside torch %s; plain PyTorch "
        "replaces them. For full speed install builds that match: https://pytorch.org/get-started",
        torchvision.__version__,
        torch.__version__,
    )
    return torchvision


def suppress_overlaps(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression, as `torchvision.ops.nms` defines it.

    Args:
        boxes: (n, 4) corners x1, y1, x2, y2.
        scores: (n,).
        iou_threshold: a box is dropped when it overlaps a better one by more than this.

    Returns:
        (m,) int64 indices of the boxes that are kept, best score first.
    """
    order = scores.argsort(descending=True, stable=True)
    overlaps = (_intersection_over_union(boxes[order]) > iou_threshold).cpu().numpy()
    stays = torch.ones(len(order), dtype=torch.bool)
    mask = stays.numpy()  # shares memory: the greedy pass is sequential, and fastest in NumPy
    for index, overlapped in enumerate(overlaps):
        if mask[index]:
            mask[index + 1 :] &= ~overlapped[index + 1 :]
    return order[stays.to(order.device)]


def _intersection_over_union(boxes: Tensor) -> Tensor:
    """(n, 4) corners -> (n, n) intersection over union; 0 for disjoint boxes."""
    top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    intersection = (bottom_right - top_left).clamp(min=0).prod(-1)  # (n, n)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    union = areas[:, None] + areas[None] - intersection
    return torch.where(intersection > 0, intersection / union, torch.zeros_like(union))


def _define_operators() -> None:
    torch.library.define("torchvision::nms", _SCHEMA)
    torch.library.impl("torchvision::nms", "default", suppress_overlaps)
    # For quantised boxes. Importing needs only its name; calling it reports a missing kernel.
    torch.library.define("torchvision::qnms", _SCHEMA)


def _use_plain_operators(torchvision: ModuleType) -> None:
    # Its wrapper around the operator refuses to run when the library is missing.
    torchvision.ops.nms = torchvision.ops.boxes.nms = suppress_overlaps
    # Its plain RoIAlign compiles itself at the first call, which takes half a minute and a C++
    # compiler, without use here. Module and function share the name, so the module is looked up.
    roi_align: Any = sys.modules["torchvision.ops.roi_align"]
    if hasattr(roi_align, "_roi_align"):
        roi_align._roi_align = inspect.unwrap(roi_align._roi_align)
