"""A subset of the body's vertices, for losses that do not need all of them."""

import torch
from torch import Tensor, nn

from smpler_model.body.skeleton import H36M_EVALUATED, H36M_PELVIS
from smpler_model.body.smpl import (
    Body,
    blend_pose,
    blend_shape,
    pose_joints,
    rigid_transforms,
    skin,
)
from smpler_model.network.geometry import project_weak_perspective
from training.learning.losses import Posed


class SampledSurface(nn.Module):
    """Poses every n-th vertex, and those used by the 17-joint regressor.

    The vertices and joints equal those of `Body.mesh` and `Body.h36m_joints`, at a fraction of the
    cost.
    """

    shown: Tensor
    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    regressor: Tensor
    rest_joints: Tensor
    rest_joint_directions: Tensor
    ancestors: Tensor

    def __init__(self, body: Body, every: int = 16) -> None:
        """Select vertices of a body that has a 17-joint regressor.

        Raises:
            ValueError: it has no regressor.
        """
        super().__init__()
        if body.J_regressor_h36m is None:
            raise ValueError(
                "the body must have a J_regressor_h36m, got none; set regressor to a file"
            )
        read = (body.J_regressor_h36m != 0).any(0)
        shown = torch.zeros_like(read)
        shown[::every] = True
        rows = (read | shown).nonzero()[:, 0]
        v = len(body.v_template)
        posedirs = body.posedirs.reshape(-1, v, 3)[:, rows].flatten(1)
        for name, values in {
            "shown": shown[rows].nonzero()[:, 0],
            "template": body.v_template[rows],
            "shapedirs": body.shapedirs[rows],
            "posedirs": posedirs,
            "weights": body.weights[rows],
            "regressor": body.J_regressor_h36m[:, rows],
            "rest_joints": body.rest_joints,
            "rest_joint_directions": body.rest_joint_directions,
            "ancestors": body.ancestors,
        }.items():
            self.register_buffer(name, values.clone(), persistent=False)
        self.corrected = bool(posedirs.any())

    def forward(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pose b bodies.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).

        Returns:
            Every n-th vertex (b, v/n, 3), the 17 joints (b, 17, 3) and those of the kinematic
            chain (b, 24, 3), metres.
        """
        rest = self.unposed(betas)
        chain = pose_joints(rotations, rest, self.ancestors)
        joints = chain[..., :3, 3]
        turned = (chain[..., :3, :3] @ rest[..., None]).squeeze(-1)
        shaped = blend_shape(self.template, self.shapedirs, betas)
        if self.corrected:
            shaped = shaped + blend_pose(self.posedirs, rotations)
        posed = skin(shaped, self.weights, rigid_transforms(chain[..., :3, :3], joints - turned))
        return posed[:, self.shown], self.regressor @ posed, joints

    def frames(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Return the joints' transforms (b, 24, 4, 4) to the frame of the pelvis's parent.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).
        """
        return pose_joints(rotations, self.unposed(betas), self.ancestors)

    def unposed(self, betas: Tensor) -> Tensor:
        """Return the joints (b, 24, 3) of the unposed bodies, metres, for (b, 10) betas."""
        return blend_shape(self.rest_joints, self.rest_joint_directions, betas)

    def compared(
        self, rotations: Tensor, betas: Tensor, camera: Tensor | None, keypoints: Tensor | None
    ) -> Posed:
        """Return the compared quantities.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).
            camera: (b, 3) weak perspective for projecting the joints; None if keypoints are
                known.
            keypoints: (b, 24 + 14, 2) labelled chain joints and evaluated joints.
        """
        vertices, h36m, chain = self(rotations, betas)
        evaluated = h36m[:, H36M_EVALUATED]
        if keypoints is None:
            if camera is None:
                raise ValueError("camera or keypoints must be given, got neither; pass one")
            keypoints = project_weak_perspective(torch.cat((chain, evaluated), 1), camera)
        return Posed(rotations, vertices, h36m[:, H36M_PELVIS], evaluated, keypoints)
