"""Errors of a network's people, one row per person, with the conventions used."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from smpler_model.array_types import Floats, Integers
from smpler_model.atomic_files import write_text_atomically
from smpler_model.body.skeleton import H36M_EVALUATED, H36M_PELVIS, LABELLED_EVALUATED
from smpler_model.body.smpl import Body
from smpler_model.network.geometry import rotation_from_axis_angle
from smpler_model.network.smpler import BackboneModel
from smpler_model.people.metrics import (
    acceleration_error,
    aligned_joint_error,
    auc,
    joint_error,
    pck,
    vertex_error,
)
from training.data.labelled_people import LabelledPeople
from training.data.sequences import sequence_of
from training.learning.objectives import normalise

METRICS = ("MPJPE", "PA-MPJPE", "MPVE", "PCK", "AUC")
ACCELERATION = "Accel"
_FRAME = re.compile(r"^(.*?)(\d+)\D*$")


@dataclass(frozen=True)
class Conventions:
    """Conventions that make metrics comparable.

    Attributes:
        origin: origin of joints: `hips`, their midpoint, or `pelvis`, the regressed one (the
            labelled one for labelled joints).
        joint_truth: `labels` uses the data set's joints; `mesh` regresses them from the labelled
            body.
        gender: gender of the labelled body's mesh: `neutral` for all, or as `labelled`.
    """

    origin: Literal["hips", "pelvis"] = "hips"
    joint_truth: Literal["labels", "mesh"] = "labels"
    gender: Literal["neutral", "labelled"] = "neutral"


@dataclass(frozen=True, eq=False)
class Scores:
    """Errors of n people.

    Attributes:
        rows: (n,) rows in the data set.
        keys: keys of the rows.
        errors: (n,) for each of `METRICS`, mm or fractions; NaN if there is no label.
        joints: (n, 14, 3) estimated joints, m.
        true_joints: (n, 14, 3) labelled joints, m; NaN if there is no label.
    """

    rows: Integers
    keys: tuple[str, ...]
    errors: dict[str, Floats]
    joints: Floats
    true_joints: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def means(self) -> dict[str, float]:
        """Return each metric's mean over the people who have the label."""
        return {name: _mean(values) for name, values in self.errors.items()}


def score(
    model: BackboneModel,
    batch: LabelledPeople,
    conventions: Conventions,
    bodies: Mapping[str, Body] | None = None,
) -> Scores:
    """Compare a network's people with their labels.

    Args:
        model: model in evaluation mode.
        batch: batch on the model's device.
        conventions: conventions of the metrics.
        bodies: `male` and `female` bodies, for labelled genders; others use the model's.
    """
    rotations = rotation_from_axis_angle(batch.pose.reshape(len(batch), -1, 3))
    with torch.inference_mode():
        output = model(normalise(batch.images, model))
        true_vertices = model.body.mesh(rotations, batch.betas).vertices
        for gender, body in (bodies or {}).items():
            rows = [row for row, name in enumerate(batch.genders) if _gender(name) == gender]
            if conventions.gender == "labelled" and rows:
                true_vertices[rows] = body.mesh(rotations[rows], batch.betas[rows]).vertices
        assert output.mesh is not None
        vertices = output.mesh.vertices
        h36m, true_h36m = (model.body.h36m_joints(v) for v in (vertices, true_vertices))
    pelvis, true_pelvis = h36m[:, H36M_PELVIS], true_h36m[:, H36M_PELVIS]
    joints, true_joints = h36m[:, H36M_EVALUATED], true_h36m[:, H36M_EVALUATED]
    labelled = batch.has_smpl == 1
    has_joints, true_origin = labelled, true_pelvis
    if conventions.joint_truth == "labels":
        true_joints = batch.joints[:, LABELLED_EVALUATED, :3]
        has_joints, true_origin = batch.has_joints == 1, torch.zeros_like(true_pelvis)
    centred = conventions.origin == "hips"
    if not centred:
        joints, true_joints = joints - pelvis[:, None], true_joints - true_origin[:, None]
    values = {
        "MPJPE": joint_error(joints, true_joints, centred=centred),
        "PA-MPJPE": aligned_joint_error(joints, true_joints),
        "MPVE": vertex_error(vertices, true_vertices, pelvis, true_pelvis),
        "PCK": pck(joints, true_joints, centred=centred),
        "AUC": auc(joints, true_joints, centred=centred),
    }
    known = {name: labelled if name == "MPVE" else has_joints for name in METRICS}
    nan = torch.nan
    return Scores(
        batch.rows.cpu().numpy(),
        batch.keys,
        {
            name: torch.where(known[name], v, nan).double().cpu().numpy()
            for name, v in values.items()
        },
        joints.double().cpu().numpy(),
        torch.where(has_joints[:, None, None], true_joints, nan).double().cpu().numpy(),
    )


def join(parts: Sequence[Scores]) -> Scores:
    """Join the scores of several batches and processes, in the order of rows.

    Raises:
        ValueError: a row occurs twice.
    """
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    if len(np.unique(rows)) != len(rows):
        raise ValueError(
            f"each person must be counted once, got {len(rows) - len(np.unique(rows))} twice; "
            "report this as a bug"
        )
    keys = [key for part in parts for key in part.keys]
    return Scores(
        rows[order],
        tuple(keys[place] for place in order),
        {name: np.concatenate([part.errors[name] for part in parts])[order] for name in METRICS},
        np.concatenate([part.joints for part in parts])[order],
        np.concatenate([part.true_joints for part in parts])[order],
    )


def score_sequences(
    scores: Scores, pattern: str, conventions: Conventions
) -> list[dict[str, Any]]:
    """Return a row per sequence: its name, its number of frames and its mean errors.

    Acceleration is computed over successive frames: the last number in a key is the frame number,
    the smallest step in the sequence is the frame interval, and a gap starts a new part.

    Args:
        scores: scores of all people.
        pattern: regular expression whose first group, in a key, is the sequence's name.
        conventions: conventions of the scores.
    """
    names = [sequence_of(key, pattern) for key in scores.keys]
    table = []
    for name in sorted(set(names)):
        rows = np.array([place for place, other in enumerate(names) if other == name])
        row: dict[str, Any] = {"sequence": name, "frames": len(rows)}
        row |= {metric: _mean(values[rows]) for metric, values in scores.errors.items()}
        errors = _accelerations(scores, rows, conventions)
        table.append(row | {ACCELERATION: _mean(errors), "Accel frames": len(errors)})
    return table


def write_scores(
    folder: Path,
    scores: Scores,
    sequences: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
    conventions: Conventions,
) -> dict[str, float]:
    """Write `people.csv`, `sequences.csv` and `summary.json` atomically, and return the means.

    Args:
        folder: folder for the files; created if missing.
        scores: scores of all people.
        sequences: sequences from `score_sequences`.
        facts: facts about the model and the data, for the summary.
        conventions: conventions of the scores.
    """
    folder.mkdir(parents=True, exist_ok=True)
    each = [
        {"row": int(row), "key": key, **{name: float(v[n]) for name, v in scores.errors.items()}}
        for n, (row, key) in enumerate(zip(scores.rows, scores.keys, strict=True))
    ]
    _write_csv(folder / "people.csv", each, ["row", "key", *METRICS])
    names = ["sequence", "frames", *METRICS, ACCELERATION, "Accel frames"]
    _write_csv(folder / "sequences.csv", sequences, names)
    means = scores.means()
    weights = np.array([row["Accel frames"] for row in sequences], np.float64)
    values = np.array([row[ACCELERATION] for row in sequences], np.float64)
    known = weights > 0
    means[ACCELERATION] = (
        float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
    )
    summary = {
        "means": {name: None if np.isnan(value) else value for name, value in means.items()},
        "people": len(scores),
        "conventions": asdict(conventions),
        **facts,
    }
    write_text_atomically(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    return means


def _accelerations(scores: Scores, rows: Integers, conventions: Conventions) -> Floats:
    """Return the errors of all inner frames of a sequence."""
    numbers = [_FRAME.match(scores.keys[row]) for row in rows]
    if not all(numbers):
        return np.empty(0)
    frames = np.array([int(found[2]) for found in numbers if found])
    order = np.argsort(frames, kind="stable")
    frames, rows = frames[order], rows[order]
    steps = np.diff(frames)
    if not len(steps) or steps.min() == 0:  # several people in a frame: there is no single track
        return np.empty(0)
    runs = np.split(rows, np.flatnonzero(steps != steps.min()) + 1)
    centred = conventions.origin == "hips"
    errors = [
        acceleration_error(scores.joints[run], scores.true_joints[run], centred=centred)
        for run in runs
    ]
    found = np.concatenate(errors)
    return np.asarray(found[np.isfinite(found)])


def _gender(name: str) -> str:
    """Normalise a gender, which data sets write in full or by its first letter."""
    return {"m": "male", "f": "female"}.get(name[:1].lower(), "neutral")


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomically(path, text.getvalue())
