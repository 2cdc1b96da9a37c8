"""A stand-in for an official checkpoint: its keys, shapes and types, filled by a seeded rule.

The expected values in `tests/data/parity` belong to these numbers: changing one draw breaks them.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_PARENTS, VERTEX_LANDMARKS

DATA = Path(__file__).parents[1] / "data" / "parity"
VARIANTS = ("w32_h36m", "w48_3dpw")
"""Backbone, and the data set whose 17-joint regressor the file carries."""

BODY = "smpl_handler."
VERTEX_COUNT, JOINT_COUNT, FACE_COUNT = 6890, 24, 13776
SMALL_GAINS = {
    **dict.fromkeys(("theta_predictor", "decpose"), 5e-3),
    **dict.fromkeys(("beta_predictor", "cam_predictor", "decshape", "deccam"), 2e-4),
}

Arrays = dict[str, NDArray[np.generic]]


def seeded_body(seed: int = 0) -> Arrays:
    """Return a random body under the names of a SMPL file, and two 17-joint regressors."""
    rng = np.random.default_rng(seed)
    parents = np.array(SMPL_PARENTS)
    rest = rng.normal(0, 0.35, (JOINT_COUNT, 3))
    owner = rng.integers(0, JOINT_COUNT, VERTEX_COUNT)
    weights = np.zeros((VERTEX_COUNT, JOINT_COUNT))
    weights[np.arange(VERTEX_COUNT), owner] = 0.8
    weights[np.arange(VERTEX_COUNT), np.maximum(parents[owner], 0)] += 0.2
    joint_regressor = np.zeros((JOINT_COUNT, VERTEX_COUNT))
    for joint in range(JOINT_COUNT):
        index = np.flatnonzero(owner == joint)[:30]
        joint_regressor[joint, index] = 1 / len(index)
    table = np.stack((np.where(parents < 0, 2**32 - 1, parents), np.arange(JOINT_COUNT)))
    return {
        "v_template": rest[owner] + rng.normal(0, 0.05, (VERTEX_COUNT, 3)),
        "shapedirs": rng.normal(0, 0.01, (VERTEX_COUNT, 3, 10)),
        "posedirs": rng.normal(0, 0.001, (VERTEX_COUNT, 3, 207)),
        "J_regressor": joint_regressor,
        "weights": weights,
        "kintree_table": table.astype(np.uint32),
        "f": np.sort(rng.integers(0, VERTEX_COUNT, (FACE_COUNT, 3)), axis=1).astype(np.uint32),
        "J_regressor_h36m": _regressor17(seed, 1),
        "J_regressor_3dpw": _regressor17(seed, 2),
    }


def seeded_arrays(seed: int = 0) -> BodyArrays:
    """Return the seeded body as `BodyArrays`, in float64."""
    body = seeded_body(seed)
    return BodyArrays(
        faces=body["f"].astype(np.int64),
        parents=np.array(SMPL_PARENTS),
        **{
            name: body[name]
            for name in (
                *("v_template", "weights", "J_regressor"),
                *("shapedirs", "posedirs", "J_regressor_h36m"),
            )
        },
    )


def seeded_state(variant: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return every entry of the checkpoint's model state."""
    backbone = variant.split("_")[0]
    manifest = json.loads((DATA / f"manifest_{backbone}.json").read_text())
    fixed = _fixed_values(variant, seed)
    state = {}
    for key, (shape, dtype) in manifest.items():
        value = fixed[key] if key in fixed else _draw(key, shape, seed)
        array = np.ascontiguousarray(value, dtype=dtype).reshape(shape)
        state[key] = torch.from_numpy(array)
    return state


def write_checkpoint(variant: str, path: Path) -> None:
    """Write a file in the layout of a training checkpoint."""
    torch.save({"model": seeded_state(variant), "epoch": 0, "global_iter": 0}, path)


def seeded_images(count: int, seed: int = 0) -> torch.Tensor:
    """Return (count, 3, 224, 224) smooth random network inputs, normalised, float32."""
    rng = np.random.default_rng([seed, 7])
    coarse = rng.normal(0, 1, (count, 3, 14, 14))
    smooth = np.kron(coarse, np.ones((16, 16))).astype(np.float32)
    noise = rng.normal(0, 0.1, (count, 3, 224, 224)).astype(np.float32)
    return torch.from_numpy(smooth + noise)


def _regressor17(seed: int, salt: int) -> NDArray[np.float64]:
    rng = np.random.default_rng([seed, salt])
    regressor = np.zeros((17, VERTEX_COUNT))
    for row in regressor:
        index, value = rng.choice(VERTEX_COUNT, 25, replace=False), rng.random(25)
        row[index] = value / value.sum()
    return regressor


def _fixed_values(variant: str, seed: int) -> Arrays:
    """Return the entries that are not drawn key by key: body and batch-norm statistics."""
    body = seeded_body(seed)
    dataset = variant.split("_")[1]
    return {
        f"{BODY}J_regressor_h36m_correct": body[f"J_regressor_{dataset}"],
        f"{BODY}smpl.v_template": body["v_template"],
        f"{BODY}smpl.shapedirs": body["shapedirs"],
        f"{BODY}smpl.faces_tensor": body["f"].astype(np.int64),
        f"{BODY}smpl.J_regressor": body["J_regressor"],
        f"{BODY}smpl.posedirs": body["posedirs"].reshape(-1, 207).T,
        f"{BODY}smpl.parents": np.array(SMPL_PARENTS),
        f"{BODY}smpl.lbs_weights": body["weights"],
        f"{BODY}smpl.vertex_joint_selector.extra_joints_idxs": np.array(
            list(VERTEX_LANDMARKS.values())
        ),
        **np.load(DATA / f"bn_{variant}.npz"),
    }


def _draw(key: str, shape: list[int], seed: int) -> NDArray[np.generic]:
    """Return the seeded value of one learned tensor."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape)
    rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
    if key.endswith("SMPL_predictor.init_pose"):
        return np.tile([1, 0, 0, 1, 0, 0.0], 24)[None] + rng.normal(0, 0.05, shape)
    if key.endswith("SMPL_predictor.init_cam"):
        return np.array([[1.0, 0, 0]])
    spread = _norm_spread(key, shape)
    if spread:
        return rng.uniform(*spread, shape) if key.endswith("weight") else rng.normal(0, 0.1, shape)
    if "position_encoding_table" in key:
        return rng.normal(0, 0.5, shape)
    if "position_embedding" in key:
        return rng.normal(0, 0.1, shape)
    if key.endswith("bias"):
        value = rng.normal(0, 0.02, shape)
        if "theta_predictor" in key:
            value[[0, 3]] += 0.5
        return value
    if len(shape) <= 1:
        return rng.normal(0, 0.1, shape)
    return rng.normal(0, np.sqrt(_gain(key) / np.prod(shape[1:])), shape)


def _norm_spread(key: str, shape: list[int]) -> tuple[float, float] | None:
    """Return the range of a normalisation's weights; None for other layers."""
    if key.startswith("backbone") and len(shape) == 1:
        return (0.2, 0.5)
    is_map_norm = "raw_feat_projection_layer" in key and key.split(".")[-2] == "1"
    return (0.7, 1.3) if "LayerNorm" in key or ".mlp.0." in key or is_map_norm else None


def _gain(key: str) -> float:
    small = [gain for name, gain in SMALL_GAINS.items() if name in key]
    return small[0] if small else (2.0 if key.startswith("backbone") else 1.0)
