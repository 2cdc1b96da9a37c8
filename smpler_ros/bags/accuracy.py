"""Errors of the estimated people against ground truth, frame by frame, and id switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import H36M_EVALUATED, H36M_JOINTS, H36M_PELVIS
from smpler_model.body.smpl import Body
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import People
from smpler_model.people.metrics import (
    MM_FROM_M,
    PCK_THRESHOLD_MM,
    acceleration_error,
    aligned_joint_error,
    auc,
    centre_on_hips,
    joint_error,
    pck,
    vertex_error,
)
from smpler_ros.bags.ground_truth import LEAST_IN_VIEW, usable_rows
from smpler_ros.bags.matching import match_boxes

EVALUATED_NAMES = tuple(H36M_JOINTS[row] for row in H36M_EVALUATED)
"""The 14 joints, in the order of the columns."""

FIGURES = {
    "mpjpe_mm": "mean distance of the 14 joints, hips' midpoints aligned, mm",
    "pa_mpjpe_mm": "the same after the best similarity transform (Procrustes), mm",
    "mpve_mm": "mean distance of the 6890 vertices, regressed pelvises aligned, mm",
    "pck": f"share of the 14 joints within {PCK_THRESHOLD_MM:g} mm, hips' midpoints aligned",
    "auc": "mean of pck for limits of 0, 5 ... 150 mm",
    "pelvis_mm": "distance of SMPL's pelvis joint in the camera's frame, nothing aligned, mm",
    "acceleration_mm_s2": "mean difference of the 14 joints' accelerations, hips' midpoints "
    "aligned, mm/s^2; of three successive images of one pair",
}
"""Metrics of each matched pair of an estimated and a ground-truth person."""

CONVENTIONS = {
    "joints": f"14, regressed from both surfaces with the body's 17-joint H36M regressor: "
    f"{', '.join(EVALUATED_NAMES)}",
    "origin of joints": "midpoint of both hips",
    "origin of vertices": "the regressed pelvis",
    "true surface": "the truth's vertices where it has some, else the model's body posed with the "
    "truth's rotations and betas",
    "pairs": "boxes, one to one, with the largest sum of intersections over union (Hungarian)",
    "identity switch": "a true person is matched with another id than the last time",
    "acceleration": "only where three images in a row have the same pair, in steps that differ "
    "by less than half",
    "visible": f"at least {LEAST_IN_VIEW:.0%} of a labelled person's joints are in view: in the "
    "image, and not occluded; people less in view need not be found, but have errors if they are",
    "means": "over pairs; people who were missed have no error",
} | FIGURES
"""Conventions of the metrics; printed with them."""

_STEADY = 0.5  # largest relative difference between the two time steps of an acceleration


@dataclass(frozen=True)
class Pairs:
    """k pairs of estimated and ground-truth people, as rows in the frame's arrays.

    Attributes:
        found: (k,) rows of the estimated people.
        true: (k,) rows of the ground-truth people.
        true_ids: (k,) ids of the ground-truth people.
        iou: (k,) intersection over union of the boxes.
        figures: (k,) values for each metric in `FIGURES`; NaN if not available.
        joints_mm: (k, 14) distances of the joints, hips' midpoints aligned.
        switched: (k,) whether the track id of the ground-truth person changed.
        refused: rows of ground-truth people with invalid values.
        beside: number of estimated people without metrics because of that.
    """

    found: NDArray[np.intp]
    true: NDArray[np.intp]
    true_ids: Integers
    iou: Floats
    figures: Mapping[str, Floats]
    joints_mm: Floats
    switched: NDArray[np.bool_]
    refused: frozenset[int] = frozenset()
    beside: int = 0


class CameraAccuracy:
    """Compares the people of one camera with ground truth.

    State: for each ground-truth person, the last track id and the joints in the last two images;
    `snapshot` and `restore` carry it from run to run.
    """

    def __init__(self, body: Body, min_iou: float) -> None:
        """Create the comparison; no people are matched yet.

        Args:
            body: body model, with a 17-joint regressor.
            min_iou: least overlap of the boxes of a pair.

        Raises:
            ValueError: a body without a regressor.
        """
        if body.J_regressor_h36m is None:
            raise ValueError(
                "errors need a body with a (17, 6890) J_regressor_h36m, got one without; "
                "evaluate with the built-in body or a checkpoint's, or set the truth to none"
            )
        self._body, self._min_iou = body, min_iou
        self._regressor = body.J_regressor_h36m.double().cpu().numpy()
        self._last_ids: dict[int, int] = {}
        # By ground-truth id: up to 2 timestamps, with the estimated and true joints at them.
        self._past: dict[int, list[tuple[int, Floats, Floats]]] = {}
        self._images = 0
        self._seen_in: dict[int, int] = {}

    def compare(self, stamp_ns: int, people: People, truth: People) -> Pairs:
        """Match people with ground truth and compute the metrics.

        Args:
            stamp_ns: timestamp of the image.
            people: estimated people; bodies are posed only for those without vertices.
            truth: the ground-truth people.
        """
        found, true, iou = match_boxes(
            _finite(people.boxes_xyxy), _finite(truth.boxes_xyxy), self._min_iou
        )
        usable = usable_rows(truth)
        measured = usable[true] & usable_rows(people)[found]
        pairs = self.measure(stamp_ns, people, truth, found[measured], true[measured])
        return replace(
            pairs,
            iou=iou[measured],
            refused=frozenset(np.flatnonzero(~usable).tolist()),
            beside=int((~measured).sum()),
        )

    def measure(
        self,
        stamp_ns: int,
        people: People,
        truth: People,
        found: NDArray[np.intp],
        true: NDArray[np.intp],
    ) -> Pairs:
        """Compute the metrics of given pairs, the next of this camera; `iou` is NaN.

        Args:
            stamp_ns: timestamp of the image.
            people: estimated people; bodies are posed only for those without vertices.
            truth: the ground-truth people, in the same frame.
            found: (k,) rows of the estimated people.
            true: (k,) rows of the ground-truth people, each with finite values.
        """
        self._images += 1
        surface, true_surface = self._surface(people, found), self._surface(truth, true)
        joints, pelvis = self._regress(surface)
        true_joints, true_pelvis = self._regress(true_surface)
        pelvises = self.pelvises(people, found) - self.pelvises(truth, true)
        apart = centre_on_hips(torch.from_numpy(joints)) - centre_on_hips(
            torch.from_numpy(true_joints)
        )
        ids, true_ids = people.ids[found], truth.ids[true]
        figures = {
            "mpjpe_mm": joint_error(joints, true_joints),
            "pa_mpjpe_mm": aligned_joint_error(joints, true_joints),
            "mpve_mm": vertex_error(surface, true_surface, pelvis, true_pelvis),
            "pck": pck(joints, true_joints),
            "auc": auc(joints, true_joints),
            "pelvis_mm": MM_FROM_M * np.linalg.norm(pelvises, axis=-1),
            "acceleration_mm_s2": self._accelerations(
                stamp_ns, ids, true_ids, joints, true_joints
            ),
        }
        switched = [
            self._last_ids.get(true_id, id_) != id_
            for id_, true_id in zip(ids.tolist(), true_ids.tolist(), strict=True)
        ]
        self._last_ids |= dict(zip(true_ids.tolist(), ids.tolist(), strict=True))
        return Pairs(
            found,
            true,
            true_ids,
            np.full(len(found), np.nan),
            figures,
            MM_FROM_M * apart.norm(dim=-1).numpy(),
            np.array(switched, np.bool_),
        )

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        past = [(true_id, *each) for true_id, rows in self._past.items() for each in rows]
        return {
            "last_ids": np.array(list(self._last_ids.items()), np.int64).reshape(-1, 2),
            "images": np.array(self._images),
            "seen_in": np.array(list(self._seen_in.items()), np.int64).reshape(-1, 2),
            "past_ids": np.array([row[0] for row in past], np.int64),
            "past_stamps_ns": np.array([row[1] for row in past], np.int64),
            "past_joints": np.array([row[2] for row in past]),
            "past_true_joints": np.array([row[3] for row in past]),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._last_ids = dict(arrays["last_ids"].tolist())
        self._images = int(arrays["images"])
        self._seen_in = dict(arrays["seen_in"].tolist())
        self._past = {}
        names = ("past_ids", "past_stamps_ns", "past_joints", "past_true_joints")
        for true_id, stamp, joints, true in zip(*(arrays[name] for name in names), strict=True):
            self._past.setdefault(int(true_id), []).append((int(stamp), joints, true))

    def _accelerations(
        self,
        stamp_ns: int,
        ids: Integers,
        true_ids: Integers,
        joints: Floats,
        true_joints: Floats,
    ) -> Floats:
        """Return (k,) acceleration errors; NaN unless the two images before have the pair."""
        errors = np.full(len(ids), np.nan)
        rows = zip(ids.tolist(), true_ids.tolist(), strict=True)
        for row, (id_, true_id) in enumerate(rows):
            in_a_row = (
                self._seen_in.get(true_id) == self._images - 1
                and self._last_ids.get(true_id) == id_
            )
            past = self._past.get(true_id, []) if in_a_row else []
            past = [*past[-2:], (stamp_ns, joints[row], true_joints[row])]
            self._past[true_id], self._seen_in[true_id] = past, self._images
            if len(past) == 3 and (interval_s := _steady_interval([each[0] for each in past])):
                found, true = (np.stack([each[k] for each in past]) for k in (1, 2))
                errors[row] = acceleration_error(found, true, interval_s=interval_s)[0]
        return errors

    def _surface(self, people: People, rows: NDArray[np.intp]) -> Floats:
        """Return (k, 6890, 3) vertices, metres."""
        if people.vertices_m is not None:
            return people.vertices_m[rows].astype(np.float64)
        if not len(rows):
            return np.empty((0, len(self._body.v_template), 3))
        with torch.inference_mode():
            mesh = self._body.mesh(
                self._tensor(people.rotations[rows]), self._tensor(people.betas[rows])
            )
        vertices = mesh.vertices.double().cpu().numpy()
        return np.asarray(vertices + people.translations_m[rows, None])

    def pelvises(self, people: People, rows: NDArray[np.intp]) -> Floats:
        """Return (k, 3) SMPL pelvis joints of some people, metres, in their frame."""
        pelvises: Floats = people.joints_m[rows, 0]
        if np.isfinite(pelvises).all():
            return pelvises
        with torch.inference_mode():
            joints = self._body.joints(
                self._tensor(people.rotations[rows]), self._tensor(people.betas[rows])
            )
        placed = joints[:, 0].double().cpu().numpy() + people.translations_m[rows]
        return np.asarray(placed, np.float64)

    def _regress(self, surface: Floats) -> tuple[Floats, Floats]:
        """(k, 6890, 3) vertices -> (k, 14, 3) evaluated joints and (k, 3) pelvises."""
        joints = self._regressor @ surface  # (k, 17, 3)
        return joints[:, H36M_EVALUATED], joints[:, H36M_PELVIS]

    def _tensor(self, values: Floats) -> torch.Tensor:
        return torch.from_numpy(values).to(self._body.v_template.device, torch.float32)


def _finite(boxes: Floats) -> Floats:
    """Return boxes (n, 4), empty where a coordinate is not finite."""
    return np.where(np.isfinite(boxes).all(1, keepdims=True), boxes, 0.0)


def _steady_interval(stamps_ns: list[int]) -> float | None:
    """Return the mean of two time steps, seconds; None if they differ too much."""
    first, second = stamps_ns[1] - stamps_ns[0], stamps_ns[2] - stamps_ns[1]
    if min(first, second) <= 0 or abs(first - second) > _STEADY * min(first, second):
        return None
    return (first + second) / (2 * NS_PER_S)
