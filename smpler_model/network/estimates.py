"""What the network returns."""

from dataclasses import dataclass

from torch import Tensor

from smpler_model.body.smpl import Mesh


@dataclass(frozen=True)
class Estimate:
    """SMPL parameters and camera of b people.

    Attributes:
        rotations: (b, 24, 3, 3), each joint's frame in its parent's; the pelvis' in the camera's.
        betas: (b, 10) shape coefficients.
        camera: (b, 3) weak perspective (s, tx, ty), see `geometry.project_weak_perspective`.
    """

    rotations: Tensor
    betas: Tensor
    camera: Tensor


@dataclass(frozen=True)
class Stage(Estimate):
    """An estimate and the joints that follow from it.

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
        stages: the first guess, then one refinement for each Transformer block.
        mesh: the surface of the last stage, None where it was not asked for.
    """

    stages: tuple[Stage, ...]
    mesh: Mesh | None

    @property
    def final(self) -> Stage:
        """The last and best stage."""
        return self.stages[-1]
