"""The arrays of a body model, checked."""

from dataclasses import dataclass, fields, replace

import numpy as np

from smpler_model.array_types import AnyFloats, AnyIntegers
from smpler_model.body.skeleton import (
    H36M_JOINTS,
    SMPL_FACE_COUNT,
    SMPL_JOINTS,
    SMPL_POSE_DIRECTION_COUNT,
    SMPL_SHAPE_COUNT,
    SMPL_VERTEX_COUNT,
)

ARRAY_SHAPES: dict[str, tuple[int, ...]] = {
    "v_template": (SMPL_VERTEX_COUNT, 3),
    "faces": (SMPL_FACE_COUNT, 3),
    "weights": (SMPL_VERTEX_COUNT, len(SMPL_JOINTS)),
    "J_regressor": (len(SMPL_JOINTS), SMPL_VERTEX_COUNT),
    "shapedirs": (SMPL_VERTEX_COUNT, 3, SMPL_SHAPE_COUNT),
    "posedirs": (SMPL_VERTEX_COUNT, 3, SMPL_POSE_DIRECTION_COUNT),
    "parents": (len(SMPL_JOINTS),),
    "J_regressor_h36m": (len(H36M_JOINTS), SMPL_VERTEX_COUNT),
}
"""Shapes of the fields of `BodyArrays`."""


@dataclass(frozen=True, eq=False)
class BodyArrays:
    """A body with SMPL's topology, under SMPL's names; lengths in metres.

    Attributes:
        v_template: (6890, 3) mean shape in the rest pose.
        faces: (13776, 3) vertex indices, counter-clockwise seen from outside.
        weights: (6890, 24) skinning weights, rows sum to one.
        J_regressor: (24, 6890) rest joints from vertices.
        shapedirs: (6890, 3, 10) shape directions.
        posedirs: (6890, 3, 207) pose correctives.
        parents: (24,) kinematic tree, parents before children, -1 for the root.
        J_regressor_h36m: (17, 6890) the joints of `skeleton.H36M_JOINTS` from vertices; None if
            the source has none.

    Raises:
        ValueError: an array has the wrong shape or type, is not finite, or violates the above.
    """

    v_template: AnyFloats
    faces: AnyIntegers
    weights: AnyFloats
    J_regressor: AnyFloats
    shapedirs: AnyFloats
    posedirs: AnyFloats
    parents: AnyIntegers
    J_regressor_h36m: AnyFloats | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            values = getattr(self, field.name)
            if values is not None:
                _check_array(field.name, values)
        _check_weights(self.weights)
        _check_tree(self.parents)
        if self.faces.min() < 0 or self.faces.max() >= len(self.v_template):
            raise ValueError(
                f"faces must index the {len(self.v_template)} vertices, got "
                f"{self.faces.min()} to {self.faces.max()}; the file is damaged"
            )

    def with_regressor(self, regressor: AnyFloats | None) -> "BodyArrays":
        """Return the same body with another (17, 6890) joint regressor, or none."""
        return replace(self, J_regressor_h36m=regressor)


def _check_array(name: str, values: np.ndarray) -> None:
    expected = ARRAY_SHAPES[name]
    if values.shape != expected:
        raise ValueError(
            f"{name} must be {expected}, got {values.shape}; only bodies with SMPL's topology fit"
        )
    kind = np.integer if name in ("faces", "parents") else np.floating
    if not np.issubdtype(values.dtype, kind):
        raise ValueError(
            f"{name} must have a {kind.__name__} type, got {values.dtype}; convert it"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity; the file is damaged")


def _check_weights(weights: AnyFloats) -> None:
    error = np.abs(weights.sum(1, dtype=np.float64) - 1).max()
    if error > 1e-3 or weights.min() < 0:
        raise ValueError(
            "weights must be positive with rows that sum to one, got a row that is off by "
            f"{error:.3g} and a smallest weight of {weights.min():.3g}; the file is damaged"
        )


def _check_tree(parents: AnyIntegers) -> None:
    if parents[0] != -1 or (parents[1:] < 0).any() or (parents >= np.arange(len(parents))).any():
        raise ValueError(
            "parents must be -1 for the first joint and an earlier joint for every other, got "
            f"{parents.tolist()}; reorder the joints"
        )
