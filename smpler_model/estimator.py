"""The network at work: crops in, arrays out."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.network import JOINT_COUNT, Smpler
from smpler_model.skeleton import SMPL_SHAPE_COUNT, SMPL_VERTEX_COUNT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """What the network says of n crops; see `types.Stage` for the frames.

    Attributes:
        rotations: (n, 24, 3, 3).
        betas: (n, 10).
        cameras: (n, 3) weak perspective (s, tx, ty).
        joints_m: (n, 24, 3) before translation.
        keypoints: (n, 24, 2) in [-1, 1] over the crop.
    """

    rotations: Floats
    betas: Floats
    cameras: Floats
    joints_m: Floats
    keypoints: Floats

    def __len__(self) -> int:
        return len(self.betas)

    def __getitem__(self, rows: slice) -> "Estimates":
        """Return some of the rows."""
        return Estimates(*(getattr(self, field.name)[rows] for field in fields(self)))


class Estimator:
    """A network in evaluation mode on its device."""

    def __init__(self, model: Smpler, device: str | torch.device = "cpu") -> None:
        self.model = model.to(device).eval()
        self.device = torch.device(device)
        self.side = model.config.image_size
        self._mean = torch.tensor(model.config.mean, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * torch.tensor(model.config.std, device=device).view(1, 3, 1, 1))

    @torch.inference_mode()
    def estimate(self, crops: NDArray[np.uint8]) -> Estimates:
        """Estimate the person in each of (n, side, side, 3) uint8 RGB crops."""
        if len(crops) == 0:
            k = JOINT_COUNT
            shapes = ((0, k, 3, 3), (0, SMPL_SHAPE_COUNT), (0, 3), (0, k, 3), (0, k, 2))
            return Estimates(*map(np.empty, shapes))
        images = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2)
        normalised = (images - 255 * self._mean) * self._scale
        stage = self.model(normalised, mesh=False).final
        tensors = (stage.rotations, stage.betas, stage.camera, stage.joints, stage.keypoints)
        return Estimates(*(tensor.double().cpu().numpy() for tensor in tensors))

    @torch.inference_mode()
    def joints(self, rotations: Floats, betas: Floats) -> Floats:
        """Pose bodies: (n, 24, 3, 3) and (n, 10) -> (n, 24, 3) joints before translation."""
        if len(betas) == 0:
            return np.empty((0, JOINT_COUNT, 3))
        joints = self.model.body.joints(self._tensor(rotations), self._tensor(betas))
        return np.asarray(joints.double().cpu().numpy())

    @torch.inference_mode()
    def vertices(self, rotations: Floats, betas: Floats) -> NDArray[np.float32]:
        """Pose bodies: (n, 24, 3, 3) and (n, 10) -> (n, 6890, 3) before translation."""
        if len(betas) == 0:
            return np.empty((0, SMPL_VERTEX_COUNT, 3), np.float32)
        mesh = self.model.body.mesh(self._tensor(rotations), self._tensor(betas))
        return np.asarray(mesh.vertices.float().cpu().numpy())

    def _tensor(self, array: Floats) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, torch.float32)
