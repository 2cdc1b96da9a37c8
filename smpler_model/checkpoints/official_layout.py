"""The table that maps this package's state keys to those of the official checkpoints.

Each row pairs a prefix of this package's keys with an official one; `*` stands for the same number
in both, and what follows the prefix (`.weight`, `.bias`, ...) is equal.
"""

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Size, Tensor

from smpler_model.body.arrays import ARRAY_SHAPES, BodyArrays
from smpler_model.body.skeleton import (
    SMPL_POSE_DIRECTION_COUNT,
    SMPL_VERTEX_COUNT,
    VERTEX_LANDMARKS,
)

_WIDE = 4  # bytes of float32

_UNIT = "transformer.*.trans_block.trans_units.*"

_MODULES = (
    ("backbone", "backbone"),
    ("regressor.initial_pose", "SMPL_predictor.init_pose"),
    ("regressor.initial_shape", "SMPL_predictor.init_shape"),
    ("regressor.initial_camera", "SMPL_predictor.init_cam"),
    ("regressor.hidden.0", "SMPL_predictor.fc1"),
    ("regressor.hidden.3", "SMPL_predictor.fc2"),
    ("regressor.feedback", "SMPL_predictor.feedback"),
    ("regressor.pose_delta", "SMPL_predictor.decpose"),
    ("regressor.shape_delta", "SMPL_predictor.decshape"),
    ("regressor.camera_delta", "SMPL_predictor.deccam"),
    ("embedding.rotation", "init_query_layer_theta"),
    ("embedding.shape", "init_query_layer_beta"),
    ("embedding.camera", "init_query_layer_cam"),
    ("embedding.image", "global_feat_projection"),
    ("blocks.*.projections.*.convolution", "transformer.*.raw_feat_projection_layer.*.0"),
    ("blocks.*.projections.*.norm", "transformer.*.raw_feat_projection_layer.*.1"),
    ("blocks.*.joint_projection", "transformer.*.joint_feat_projection_layer.0"),
    ("blocks.*.feedback", "transformer.*.feedback"),
    ("blocks.*.turn_feedback", "transformer.*.turn_feedback"),
    ("blocks.*.map_positions", "transformer.*.trans_block.feat_position_embedding"),
    ("blocks.*.query_projection", "transformer.*.trans_block.early_embedding"),
    ("blocks.*.query_positions", "transformer.*.trans_block.position_embeddings.weight"),
    ("blocks.*.head", "transformer.*.trans_block.head"),
    ("blocks.*.residual", "transformer.*.trans_block.residual"),
    ("blocks.*.rotation_delta", "transformer.*.theta_predictor"),
    ("blocks.*.shape_delta", "transformer.*.beta_predictor"),
    ("blocks.*.camera_delta", "transformer.*.cam_predictor"),
    ("limb_alignment", "limb_alignment"),
    ("trunk_alignment", "trunk_alignment"),
    (
        "blocks.*.units.*.joint_aware.bias_table",
        f"{_UNIT}.local_unit.relative_position_encoding_table.0",
    ),
)

FULL_ATTENTION = "full_unit"
"""Key of the layer of the `full` attention variant; no official file has it."""

_ATTENTION_LAYERS = (
    (
        "blocks.*.units.*.multi_scale.layers.*",
        f"{_UNIT}.global_unit.trans_layer_list.*.transformer_layer",
    ),
    (
        "blocks.*.units.*.joint_aware.layer",
        f"{_UNIT}.local_unit.trans_layer_list.0.transformer_layer",
    ),
    ("blocks.*.units.*.among_queries", f"{_UNIT}.self_trans_layer.self_trans_layer"),
    ("blocks.*.units.*.over_all", f"{_UNIT}.{FULL_ATTENTION}"),
)

_ATTENTION_PARTS = (
    ("norm", "LayerNorm_attn"),
    ("query", "attention.query"),
    ("key", "attention.key"),
    ("value", "attention.value"),
    ("output", "linear_attn"),
    ("mlp", "mlp"),
)

TABLE = _MODULES + tuple(
    (f"{our_layer}.{our_part}", f"{their_layer}.{their_part}")
    for (our_layer, their_layer), (our_part, their_part) in product(
        _ATTENTION_LAYERS, _ATTENTION_PARTS
    )
)
"""(prefix in this package, official prefix), complete."""

BODY_PREFIX = "smpl_handler."
BODY_REGRESSOR = f"{BODY_PREFIX}J_regressor_h36m_correct"
_LANDMARKS = f"{BODY_PREFIX}smpl.vertex_joint_selector.extra_joints_idxs"
_BODY_TABLE = (
    ("v_template", f"{BODY_PREFIX}smpl.v_template"),
    ("faces", f"{BODY_PREFIX}smpl.faces_tensor"),
    ("weights", f"{BODY_PREFIX}smpl.lbs_weights"),
    ("J_regressor", f"{BODY_PREFIX}smpl.J_regressor"),
    ("shapedirs", f"{BODY_PREFIX}smpl.shapedirs"),
    ("posedirs", f"{BODY_PREFIX}smpl.posedirs"),
    ("parents", f"{BODY_PREFIX}smpl.parents"),
    ("J_regressor_h36m", BODY_REGRESSOR),
)

BODY_SHAPES = {key: Size(ARRAY_SHAPES[name]) for name, key in _BODY_TABLE} | {
    f"{BODY_PREFIX}smpl.posedirs": Size((SMPL_POSE_DIRECTION_COUNT, 3 * SMPL_VERTEX_COUNT)),
    _LANDMARKS: Size((len(VERTEX_LANDMARKS),)),
}
"""Shapes of the body's entries under official keys."""


def find_official_key(key: str) -> str | None:
    """Translate a state key to the official one; None if the table has no row for it."""
    return _translate(key, _OFFICIAL_FROM_OURS)


def find_our_key(official: str) -> str | None:
    """Translate an official state key to this package's; None if the table has no row for it."""
    return _translate(official, _OURS_FROM_OFFICIAL)


def body_from_official(state: Mapping[str, Tensor]) -> BodyArrays:
    """Extract the body from a state under official keys, all of which are present.

    Raises:
        ValueError: an array that `BodyArrays` refuses.
    """
    arrays = {name: numbers_of(state[key]) for name, key in _BODY_TABLE}
    arrays["posedirs"] = arrays["posedirs"].T.reshape(SMPL_VERTEX_COUNT, 3, -1)
    return BodyArrays(**arrays)


def numbers_of(values: Tensor) -> NDArray[Any]:
    """Return a tensor as an array; types that NumPy may lack, such as bfloat16, as float32."""
    wide = values.float() if values.is_floating_point() and values.itemsize < _WIDE else values
    return np.asarray(wide.numpy())


def official_from_body(arrays: BodyArrays) -> dict[str, Tensor]:
    """Return the body's entries under official keys, with the official shapes and types.

    Raises:
        ValueError: the body has no 17-joint regressor.
    """
    state = {}
    for name, key in _BODY_TABLE:
        values = getattr(arrays, name)
        if values is None:
            raise ValueError(
                f"a body to be saved must have a {name}, got none; add it with "
                "BodyArrays.with_regressor"
            )
        if name == "posedirs":
            values = values.reshape(3 * SMPL_VERTEX_COUNT, -1).T
        kind = np.int64 if np.issubdtype(values.dtype, np.integer) else np.float32
        state[key] = torch.from_numpy(np.ascontiguousarray(values, dtype=kind))
    state[_LANDMARKS] = torch.tensor(list(VERTEX_LANDMARKS.values()))
    return state


def _pattern(prefix: str) -> str:
    return re.escape(prefix).replace(r"\*", r"(\d+)") + r"(|\..+)"


def _template(prefix: str) -> str:
    return prefix.replace("*", "{}") + "{}"


_Rules = tuple[tuple[re.Pattern[str], str], ...]

_OFFICIAL_FROM_OURS: _Rules = tuple(
    (re.compile(_pattern(ours)), _template(theirs)) for ours, theirs in TABLE
)
_OURS_FROM_OFFICIAL: _Rules = tuple(
    (re.compile(_pattern(theirs)), _template(ours)) for ours, theirs in TABLE
)


def _translate(key: str, rules: _Rules) -> str | None:
    for pattern, template in rules:
        if match := pattern.fullmatch(key):
            return template.format(*match.groups())
    return None
