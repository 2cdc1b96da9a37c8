"""SMPL's surface as a web page poses it: rest vertices once, then the transforms of all bones.

Skinning is linear in the bones' transforms, so 24 of them move all 6890 vertices. The page cannot
compute pose correctives: they are part of the rest vertices, and stay until those are sent again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body, blend_pose, blend_shape, pose_joints
from smpler_model.frames import People


@dataclass(frozen=True)
class RestSurfaces:
    """The unposed surfaces of n people, each with the correctives of one pose.

    Attributes:
        vertices_m: (n, 6890, 3) float32.
        joints_m: (n, 24, 3).
    """

    vertices_m: NDArray[np.float32]
    joints_m: Floats


@dataclass(frozen=True)
class Bones:
    """Transforms that take the rest surfaces of n people to their poses.

    Attributes:
        wxyz: (n, 24, 4) unit quaternions.
        positions_m: (n, 24, 3).
    """

    wxyz: Floats
    positions_m: Floats


class SkinnedSurface:
    """A body posed in two steps: shape and correctives, then skinning.

    Attributes:
        faces: (13776, 3) uint32.
        weights: (6890, 24) float32 skinning weights.
    """

    def __init__(self, arrays: BodyArrays) -> None:
        self._body = Body(arrays).eval()
        self.faces = arrays.faces.astype(np.uint32)
        self.weights = arrays.weights.astype(np.float32)

    def rest(self, people: People) -> RestSurfaces:
        """Return people's surfaces before skinning, for their shapes and poses."""
        body = self._body
        with torch.inference_mode():
            betas = torch.from_numpy(people.betas).float()
            rotations = torch.from_numpy(people.rotations).float()
            vertices = blend_shape(body.v_template, body.shapedirs, betas)
            vertices = vertices + blend_pose(body.posedirs, rotations)
            joints = blend_shape(body.rest_joints, body.rest_joint_directions, betas)
        return RestSurfaces(vertices.numpy(), joints.double().numpy())

    def bones(self, people: People, rest_joints_m: Floats) -> Bones:
        """Return the transforms from rest surfaces to people's poses and positions.

        Args:
            people: n people.
            rest_joints_m: (n, 24, 3) joints of the rest surfaces.
        """
        n = len(people)
        with torch.inference_mode():
            rotations = torch.from_numpy(people.rotations)
            origin = torch.zeros(n, rotations.shape[1], 3, dtype=rotations.dtype)
            chain = pose_joints(rotations, origin, self._body.ancestors)
        turns: Floats = chain[..., :3, :3].numpy()
        moved = people.joints_m - (turns @ rest_joints_m[..., None])[..., 0]
        xyzw = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_quat() if n else np.empty((0, 4))
        return Bones(np.roll(xyzw, 1, axis=-1).reshape(n, -1, 4), moved)

    def joint_error_m(self, people: People) -> float:
        """Return the largest distance between this body's joints and the people's, metres.

        More than a rounding error means that the people were estimated with another body.
        """
        if not len(people):
            return 0.0
        with torch.inference_mode():
            rotations = torch.from_numpy(people.rotations).float()
            joints = self._body.joints(rotations, torch.from_numpy(people.betas).float())
        placed = joints.double().numpy() + people.translations_m[:, None]
        return float(np.linalg.norm(placed - people.joints_m, axis=-1).max())
