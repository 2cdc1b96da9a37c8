"""An estimator that returns ground truth: the remaining errors are not the network's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.body.smpl import Body
from smpler_model.camera_pipeline import turns_to_camera
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.crops import cut_crops
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from synthetic.truth import GroundTruth

_SIDE = 32  # of the crops, which are ignored


class Oracle(Estimator):
    """Returns the ground truth it was given, whatever the crops show."""

    def __init__(self, body: Body, *, of_average_size: bool = False) -> None:
        """Create an oracle without people.

        Args:
            body: body of the people.
            of_average_size: replace all shapes by the average, as for a network that does not know
                how tall people are.
        """
        self.model = SimpleNamespace(body=body)  # type: ignore[assignment]
        self._joints_body = body
        self.device = torch.device("cpu")
        self.side = _SIDE
        self._usual_change_m = 1.0  # it refines nothing
        self._of_average_size = of_average_size
        self._next: Estimates | None = None

    def tell(
        self, rgb: NDArray[np.uint8], camera: Camera, truth: GroundTruth, margin: float
    ) -> None:
        """Set the ground truth of the next crops, which are cut around the visible boxes.

        A network assumes cameras that look at the crops' centres, and so do the given rotations.

        Args:
            rgb: the image.
            camera: camera of the image.
            truth: ground truth of the image.
            margin: margin of the crops.
        """
        crops = cut_crops(rgb, truth.visible_boxes_xyxy, 1, margin=margin)
        betas = np.zeros_like(truth.betas) if self._of_average_size else truth.betas
        cameras = np.full((len(truth), 3), np.nan)  # a weak camera that nothing may depend on
        joints = self.joints(truth.rotations, betas)
        keypoints = crops.crop_from_image(truth.keypoints_px)
        unchanged = np.zeros(joints.shape[:2])
        seen = Estimates(truth.rotations, betas, cameras, joints, keypoints, unchanged)
        self._next = seen.turned(turns_to_camera(camera, crops).swapaxes(1, 2))

    def estimate(self, crops: PixelArray) -> Estimates:
        """Return the given ground truth, a row per crop."""
        if self._next is None or len(self._next) != len(crops):
            told = 0 if self._next is None else len(self._next)
            raise ValueError(f"crops must be those of the {told} given people, got {len(crops)}")
        return self._next
