"""SMPL as stateless functions of tensors, and a module with its arrays.

Source: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.arrays import BodyArrays


@dataclass(frozen=True)
class Mesh:
    """The meshes of b bodies.

    Attributes:
        vertices: (b, 6890, 3) metres, in the axes of the joints.
        joints: (b, 24, 3) joints of the kinematic chain, metres.
    """

    vertices: Tensor
    joints: Tensor


def blend_shape(template: Tensor, directions: Tensor, betas: Tensor) -> Tensor:
    """Add weighted shape directions to a template.

    Args:
        template: (n, 3) points in metres; vertices, or joints that are linear in them.
        directions: (n, 3, 10).
        betas: (b, 10).

    Returns:
        (b, n, 3) metres.
    """
    return template + torch.einsum("ncs,bs->bnc", directions, betas)


def blend_pose(directions: Tensor, rotations: Tensor) -> Tensor:
    """Return the corrective offsets that compensate artefacts of skinning.

    Args:
        directions: (207, 3 v), for the entries of the rotations of the 23 joints below the pelvis.
        rotations: (b, 24, 3, 3).

    Returns:
        (b, v, 3) metres.
    """
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    features = (rotations[:, 1:] - identity).flatten(1)  # (b, 207)
    return (features @ directions).reshape(len(rotations), directions.shape[1] // 3, 3)


def pose_joints(rotations: Tensor, rest_joints: Tensor, ancestors: Tensor) -> Tensor:
    """Compose each joint's transform with those of all its ancestors.

    Instead of following the tree joint by joint, each round doubles the number of levels: with the
    transforms over 2^r levels, those over 2^(r+1) need one more product.

    Args:
        rotations: (b, k, 3, 3) `parent_from_joint` rotations.
        rest_joints: (b, k, 3) joints of the unposed body, metres.
        ancestors: (rounds, k) from `find_ancestors`; k stands for "above the root".

    Returns:
        (b, k, 4, 4) `root_from_joint` transforms. Their translations are the posed joints.
    """
    k = len(ancestors[0])  # a constant in an exported graph
    offsets = rest_joints - F.pad(rest_joints, (0, 0, 0, 1))[:, ancestors[0]]
    upper = torch.cat((rotations, offsets[..., None]), -1)  # (b, k, 3, 4)
    identity = torch.eye(4, dtype=upper.dtype, device=upper.device)
    last_rows = _last_row(upper).expand(k, 4, 4)
    # With one more joint above the root, which stays where it is: (b, k + 1, 4, 4).
    chain = F.pad(upper, (0, 0, 0, 1, 0, 1)) + torch.cat((last_rows, identity[None]))
    for above in F.pad(ancestors, (0, 1), value=k):
        chain = chain[:, above] @ chain
    return chain[:, :k]


def rigid_transforms(rotations: Tensor, translations: Tensor) -> Tensor:
    """(..., 3, 3) rotations and (..., 3) translations -> (..., 4, 4) homogeneous transforms."""
    upper = torch.cat((rotations, translations[..., None]), -1)  # (..., 3, 4)
    return F.pad(upper, (0, 0, 0, 1)) + _last_row(upper)


def _last_row(like: Tensor) -> Tensor:
    """Return a matrix (4, 4) that is zero but for its last entry, 1."""
    return F.pad(like.new_ones(1, 1), (3, 0, 3, 0))


def find_ancestors(parents: np.ndarray) -> np.ndarray:
    """Return the ancestors of each joint 1, 2, 4, ... levels above it, one row per distance.

    Args:
        parents: (k,) parent of each joint, -1 for the root, parents before children.

    Returns:
        (rounds, k) int64; k if there is no such ancestor.
    """
    k = len(parents)
    above = np.append(np.where(parents < 0, k, parents), k)
    rows = []
    while (above[:k] < k).any():
        rows.append(above[:k])
        above = above[above]
    return np.stack(rows).astype(np.int64)


def skin(vertices: Tensor, weights: Tensor, posed_from_rest: Tensor) -> Tensor:
    """Transform every vertex by the weighted mean of the joints' transforms.

    Args:
        vertices: (b, v, 3) of the unposed body, metres.
        weights: (v, k), rows sum to one.
        posed_from_rest: (b, k, 4, 4) transforms of each joint.

    Returns:
        (b, v, 3) metres.
    """
    blended = torch.einsum("vk,bkij->bvij", weights, posed_from_rest[:, :, :3])  # (b, v, 3, 4)
    return (blended[..., :3] @ vertices[..., None]).squeeze(-1) + blended[..., 3]


class Body(nn.Module):
    """A body model's arrays, ready to be posed.

    The arrays are buffers under SMPL's names. They are not learned and therefore not in the state
    dict.
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    J_regressor: Tensor
    J_regressor_h36m: Tensor | None
    weights: Tensor
    faces: Tensor
    ancestors: Tensor
    rest_joints: Tensor
    rest_joint_directions: Tensor

    def __init__(self, arrays: BodyArrays) -> None:
        super().__init__()
        vertex_count, _, shape_count = arrays.shapedirs.shape
        floats = {
            "v_template": arrays.v_template,
            "shapedirs": arrays.shapedirs,
            "posedirs": arrays.posedirs.reshape(3 * vertex_count, -1).T,
            "J_regressor": arrays.J_regressor,
            "J_regressor_h36m": arrays.J_regressor_h36m,
            "weights": arrays.weights,
        }
        for name, values in floats.items():
            self._hold(name, None if values is None else torch.tensor(values, dtype=torch.float32))
        self._hold("faces", torch.tensor(arrays.faces, dtype=torch.int64))
        self._hold("ancestors", torch.from_numpy(find_ancestors(arrays.parents)))
        self._hold("rest_joints", torch.empty(len(arrays.parents), 3))
        self._hold("rest_joint_directions", torch.empty(len(arrays.parents), 3, shape_count))
        self._regress_rest_joints()

    def joints(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Return the posed joints without computing vertices.

        Rest joints are linear in the vertices, which are linear in the shape, so rest joints are
        linear in the shape as well.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).

        Returns:
            (b, 24, 3) metres.
        """
        return self.chain(rotations, betas)[..., :3, 3]

    def chain(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Return the transforms `root_from_joint` (b, 24, 4, 4) of the posed joints.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).
        """
        return self._chain(rotations, betas)[0]

    def mesh(self, rotations: Tensor, betas: Tensor) -> Mesh:
        """Return the posed vertices, (b, 6890, 3), and joints, (b, 24, 3), in metres.

        Args:
            rotations: (b, 24, 3, 3).
            betas: (b, 10).
        """
        root_from_joint, rest_joints = self._chain(rotations, betas)
        joints = root_from_joint[..., :3, 3]
        turned = (root_from_joint[..., :3, :3] @ rest_joints[..., None]).squeeze(-1)
        posed_from_rest = rigid_transforms(root_from_joint[..., :3, :3], joints - turned)
        shaped = blend_shape(self.v_template, self.shapedirs, betas)
        shaped = shaped + blend_pose(self.posedirs, rotations)
        return Mesh(skin(shaped, self.weights, posed_from_rest), joints)

    def h36m_joints(self, vertices: Tensor) -> Tensor:
        """Regress the 17 joints of `skeleton.H36M_JOINTS` from (b, 6890, 3) vertices.

        Raises:
            ValueError: the body has no regressor for them.
        """
        if self.J_regressor_h36m is None:
            raise ValueError(
                "h36m_joints needs a body with a (17, 6890) J_regressor_h36m, got one without; "
                "add it with BodyArrays.with_regressor"
            )
        return self.J_regressor_h36m @ vertices

    def arrays(self) -> BodyArrays:
        """Return the body's arrays."""
        held = {name: b.cpu().numpy() for name, b in self.named_buffers()}
        k = len(held["weights"].T)  # joints
        parents = held["ancestors"][0]
        return BodyArrays(
            v_template=held["v_template"],
            faces=held["faces"],
            weights=held["weights"],
            J_regressor=held["J_regressor"],
            shapedirs=held["shapedirs"],
            posedirs=held["posedirs"].T.reshape(len(held["v_template"]), 3, -1),
            parents=np.where(parents == k, -1, parents),
            J_regressor_h36m=held.get("J_regressor_h36m"),
        )

    def _chain(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        rest_joints = blend_shape(self.rest_joints, self.rest_joint_directions, betas)
        return pose_joints(rotations, rest_joints, self.ancestors), rest_joints

    def _hold(self, name: str, values: Tensor | None) -> None:
        self.register_buffer(name, values, persistent=False)

    def _regress_rest_joints(self) -> None:
        regressor = self.J_regressor.to("cpu", torch.float64)
        for name, points in (
            ("rest_joints", self.v_template),
            ("rest_joint_directions", self.shapedirs),
        ):
            exact = torch.einsum("kv,v...->k...", regressor, points.to("cpu", torch.float64))
            self.get_buffer(name).copy_(exact)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Body":
        # Recomputed at every cast: a product rounded to float32 would stay inexact in float64.
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._regress_rest_joints()
        return self
