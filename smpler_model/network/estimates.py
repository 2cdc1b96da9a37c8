"""Outputs of the network."""

from dataclasses import dataclass

from torch import Tensor

from smpler_model.body.smpl import Mesh


@dataclass(frozen=True)
class Estimate:
    """SMPL parameters and camera of b people.

    Attributes:
        rotations: (b, 24, 3, 3), each joint's frame in its parent's; the pelvis's in the camera's.
        betas: (b, 10) shape coefficients.
        camera: (b, 3) weak perspective (s, tx, ty), see `geometry.project_weak_perspective`.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor


@dataclass(frozen=True)
class Stage(Estimate):
    """An estimate with its joints.

    Attributes:
        joints: (b, 24, 3) metres, in the model's axes (x right, y down, z forward).
        keypoints: (b, 24, 2) the joints' projections; the crop spans [-1, 1], y down.
    """

    joints: Tensor
    keypoints: Tensor


@dataclass(frozen=True)
class SmplerOutput:
    """Results of one forward pass.

    Attributes:
        stages: the initial estimate, then one refinement per Transformer block.
        mesh: vertices and faces of the last stage, None if not requested.
    """

    stages: tuple[Stage, ...]
    mesh: Mesh | None

    @property
    def final(self) -> Stage:
        """The last and most accurate stage."""
        return self.stages[-1]
