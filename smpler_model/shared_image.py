"""One image shared by detector and network, uploaded once if both are on a GPU."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from smpler_model.cameras.crops import Crops, cut_crops
from smpler_model.cameras.device_crops import cut_crops_on_device, upload
from smpler_model.detectors.detector import (
    BatchDetector,
    Detections,
    Detector,
    DeviceBatchDetector,
    DeviceDetector,
)
from smpler_model.frames import Frame
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.device_memory import explain_memory

_WHAT, _REMEDY = "the image with its crops", "send smaller images"


class SharedImage:
    """A frame's image in the host's memory and, from its first use there on, on a device.

    Attributes:
        frame: the frame.
    """

    def __init__(self, frame: Frame, device: torch.device | None) -> None:
        """Hold an image; nothing is copied yet.

        Args:
            frame: the frame.
            device: where the image is used; None to use it where it is.
        """
        self.frame, self._device = frame, device
        self._uploaded: Tensor | None = None

    def detect(self, detector: Detector) -> Detections:
        """Return the people that a detector finds.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        if isinstance(detector, DeviceDetector) and (image := self.on_device()) is not None:
            return detector.detect_on_device(image)
        return detector.detect(self.frame.rgb)

    def cut(self, boxes_xyxy: ArrayLike, side: int, margin: float) -> Crops[PixelArray]:
        """Cut a square around each box; see `crops.cut_crops`.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        image = self.on_device() if len(np.asarray(boxes_xyxy)) else None
        if image is None:
            return cut_crops(self.frame.rgb, boxes_xyxy, side, margin=margin)
        with explain_memory(_WHAT, image.device, _REMEDY):
            return cut_crops_on_device(image, boxes_xyxy, side, margin=margin)

    def on_device(self) -> Tensor | None:
        """Return the image on its device, uploaded by the first call; None if it has none.

        Raises:
            DeviceMemoryError: the device's memory does not suffice.
        """
        if self._uploaded is None and self._device is not None:
            with explain_memory(_WHAT, self._device, _REMEDY):
                self._uploaded = upload(self.frame.rgb, self._device)
        return self._uploaded


def detect_together(detector: BatchDetector, images: Sequence[SharedImage]) -> list[Detections]:
    """Return what a detector finds in the images of several cameras, in one call.

    Raises:
        DeviceMemoryError: the device's memory does not suffice.
    """
    if isinstance(detector, DeviceBatchDetector):
        uploaded = [each for image in images if (each := image.on_device()) is not None]
        if len(uploaded) == len(images):
            return detector.detect_all_on_device(uploaded)
    return detector.detect_all([image.frame.rgb for image in images])


def join_pixels(parts: Sequence[PixelArray]) -> PixelArray:
    """Return the crops of several images as one batch, on a device if any of them are there."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if not tensors:
        return np.concatenate([np.asarray(part) for part in parts])
    device = tensors[0].device
    return torch.cat(
        [p if isinstance(p, Tensor) else torch.from_numpy(p).to(device) for p in parts]
    )
