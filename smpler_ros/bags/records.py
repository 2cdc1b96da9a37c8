"""Records of each frame and each person: rows of CSV files, written and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.frames import FrameResult, People, TrackState, TranslationSource, details_of
from smpler_ros.bags.accuracy import EVALUATED_NAMES, FIGURES, Pairs
from smpler_ros.bags.ground_truth import visible_rows

FRAME_COLUMNS = (
    *("camera", "frame", "stamp_ns", "recorded_ns", "batch", "people"),
    *("true_people", "missed_ids", "hidden_ids", "false_people", "switches"),
)
"""Columns of `frames.csv`; `batch` is the batch's index, the last five need ground truth."""

_JOINT_COLUMNS = tuple(f"{name}_mm" for name in EVALUATED_NAMES)
_DETAIL_COLUMNS = {
    "position_x_m": ("positions_m", 0),
    "position_y_m": ("positions_m", 1),
    "position_z_m": ("positions_m", 2),
    "velocity_x_m_s": ("velocities_m_s", 0),
    "velocity_y_m_s": ("velocities_m_s", 1),
    "velocity_z_m_s": ("velocities_m_s", 2),
    "facing_rad": ("facings_rad", ()),
    "footprint_x_m": ("footprints_m", 0),
    "footprint_y_m": ("footprints_m", 1),
    "footprint_z_m": ("footprints_m", 2),
    "left_foot_contact": ("foot_contacts", 0),
    "right_foot_contact": ("foot_contacts", 1),
    **{f"{name}_confidence": ("joint_confidences", row) for row, name in enumerate(SMPL_JOINTS)},
}
"""Attribute of the people, and index in it, of each column of what is not always known."""

BODY_COLUMNS = (
    *("translation_x_m", "translation_y_m", "translation_z_m", "translation_source"),
    *("pelvis_x_m", "pelvis_y_m", "pelvis_z_m"),
    *(f"beta_{index}" for index in range(SMPL_SHAPE_COUNT)),
    *(f"pose_{index}" for index in range(3 * len(SMPL_JOINTS))),
    *_DETAIL_COLUMNS,
)
"""Columns of a body; unknown values are empty."""

PERSON_COLUMNS = (
    *("camera", "frame", "stamp_ns", "id", "state", "score"),
    *("left_px", "top_px", "right_px", "bottom_px"),
    *BODY_COLUMNS,
    *("true_id", "iou", "switched", *FIGURES, *_JOINT_COLUMNS),
)
"""Columns of `people.csv`: SMPL in the optical frame; position, velocity and facing of the pelvis
in the fixed frame; the footprint in the optical frame; from `true_id` on with ground truth.
Unknown values are empty.
"""

TIMING_COLUMNS = ("batch", "step", "ms")
"""Columns of `timings.csv`."""


@dataclass(frozen=True)
class FrameRecord:
    """A frame.

    Attributes:
        camera: image topic.
        frame: index of the frame within its camera, from 0.
        stamp_ns: timestamp of the image.
        recorded_ns: when the image was recorded, nanoseconds; 0 if unknown.
        batch: index of the batch that the frame was processed in, from 0.
        people: number of people found.
        true_people: number of labelled people; None if the image is not labelled.
        missed_ids: ids of labelled people who were missed.
        hidden_ids: ids of labelled people with too little in view to count as visible, see
            `visible_rows`.
        false_people: false positives.
        switches: number of id switches.
    """

    camera: str
    frame: int
    stamp_ns: int
    recorded_ns: int
    batch: int
    people: int
    true_people: int | None = None
    missed_ids: tuple[int, ...] = ()
    hidden_ids: tuple[int, ...] = ()
    false_people: int = 0
    switches: int = 0

    def row(self) -> list[object]:
        """Return the values of `FRAME_COLUMNS`."""
        place = [self.camera, self.frame, self.stamp_ns, self.recorded_ns]
        known = [*place, self.batch, self.people]
        if self.true_people is None:
            return [*known, "", "", "", "", ""]
        missed, hidden = (" ".join(map(str, ids)) for ids in (self.missed_ids, self.hidden_ids))
        return [*known, self.true_people, missed, hidden, self.false_people, self.switches]


@dataclass(frozen=True)
class PersonRecord:
    """A person's contribution to the totals.

    Attributes:
        camera: image topic.
        frame: index of the frame within its camera, from 0.
        stamp_ns: timestamp of the image.
        id: track id.
        true_id: id of the matched labelled person, None if unmatched.
        figures: values by metric, see `FIGURES`; NaN if not available.
        joints_mm: distances of the 14 joints.
        switched: whether the track id of the labelled person changed.
    """

    camera: str
    frame: int
    stamp_ns: int
    id: int
    true_id: int | None = None
    figures: Mapping[str, float] | None = None
    joints_mm: Sequence[float] = ()
    switched: bool = False


def person_rows(
    camera: str, frame: int, result: FrameResult, pairs: Pairs | None
) -> tuple[list[list[object]], list[PersonRecord]]:
    """Return the values of `PERSON_COLUMNS` for all people in a frame, and their records."""
    people = result.people
    matched = {} if pairs is None else {row: k for k, row in enumerate(pairs.found.tolist())}
    rows: list[list[object]] = []
    records = []
    for i, body in enumerate(body_rows(people)):
        id_ = int(people.ids[i])
        state = TrackState(int(people.states[i])).name.lower()
        row = [
            *(camera, frame, result.stamp_ns, id_, state, text_of(people.scores[i])),
            *map(text_of, people.boxes_xyxy[i]),
            *body,
        ]
        record = PersonRecord(camera, frame, result.stamp_ns, id_)
        if pairs is not None and i in matched:
            record = _with_errors(record, pairs, matched[i])
            errors = [*(record.figures or {}).values(), *record.joints_mm]
            iou = text_of(pairs.iou[matched[i]])
            row += [record.true_id, iou, int(record.switched), *map(text_of, errors)]
        rows.append(row + [""] * (len(PERSON_COLUMNS) - len(row)))
        records.append(record)
    return rows, records


def body_rows(people: People) -> list[list[object]]:
    """Return the values of `BODY_COLUMNS` for all people."""
    n = len(people)
    poses = Rotation.from_matrix(people.rotations.reshape(-1, 3, 3)).as_rotvec() if n else []
    numbers = np.hstack(
        [people.betas.reshape(n, SMPL_SHAPE_COUNT), np.reshape(poses, (n, 3 * len(SMPL_JOINTS)))]
    )
    details = details_of(people)
    return [
        [
            *map(text_of, people.translations_m[i]),
            TranslationSource(int(people.sources[i])).name.lower(),
            *map(text_of, people.joints_m[i, 0]),
            *map(text_of, numbers[i]),
            *(text_of(details[name][i][at]) for name, at in _DETAIL_COLUMNS.values()),
        ]
        for i in range(n)
    ]


def parse_frame(row: Mapping[str, str]) -> FrameRecord:
    """Return the frame of a row of `frames.csv`."""
    frame, stamp_ns, recorded_ns, batch, people = (
        int(row[name]) for name in ("frame", "stamp_ns", "recorded_ns", "batch", "people")
    )
    record = FrameRecord(row["camera"], frame, stamp_ns, recorded_ns, batch, people)
    if not row["true_people"]:
        return record
    return replace(
        record,
        true_people=int(row["true_people"]),
        missed_ids=tuple(map(int, row["missed_ids"].split())),
        hidden_ids=tuple(map(int, row["hidden_ids"].split())),
        false_people=int(row["false_people"]),
        switches=int(row["switches"]),
    )


def parse_person(row: Mapping[str, str]) -> PersonRecord:
    """Return the person of a row of `people.csv`."""
    frame, stamp_ns, id_ = (int(row[name]) for name in ("frame", "stamp_ns", "id"))
    record = PersonRecord(row["camera"], frame, stamp_ns, id_)
    if not row["true_id"]:
        return record
    return replace(
        record,
        true_id=int(row["true_id"]),
        figures={name: number_of(row[name]) for name in FIGURES},
        joints_mm=[number_of(row[name]) for name in _JOINT_COLUMNS],
        switched=row["switched"] == "1",
    )


def _with_errors(record: PersonRecord, pairs: Pairs, k: int) -> PersonRecord:
    figures = {name: float(text_of(values[k]) or "nan") for name, values in pairs.figures.items()}
    joints = [float(text_of(value)) for value in pairs.joints_mm[k]]
    return replace(
        record,
        true_id=int(pairs.true_ids[k]),
        figures=figures,
        joints_mm=joints,
        switched=bool(pairs.switched[k]),
    )


def text_of(value: Any) -> str:  # noqa: ANN401
    """Return a number with seven digits; totals use the written values, so that files agree."""
    return "" if np.isnan(value) else f"{value:.7g}"


def number_of(text: str) -> float:
    """Return the number that `text_of` wrote."""
    return float(text) if text else float("nan")


def with_truth(record: FrameRecord, truth: People, pairs: Pairs) -> FrameRecord:
    """Return a frame with the ground truth's counts."""
    valid = np.ones(len(truth), np.bool_)
    valid[list(pairs.refused)] = False
    missed = valid.copy()
    missed[pairs.true] = False
    return replace(
        record,
        true_people=int(valid.sum()),
        missed_ids=tuple(truth.ids[missed].tolist()),
        hidden_ids=tuple(truth.ids[valid & ~visible_rows(truth)].tolist()),
        false_people=record.people - len(pairs.found) - pairs.beside,
        switches=int(pairs.switched.sum()),
    )
