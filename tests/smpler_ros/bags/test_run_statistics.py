"""Totals computed during the run and from the files are the same."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.frames import FrameResult
from smpler_ros.bags.accuracy import FIGURES, CameraAccuracy
from smpler_ros.bags.records import (
    FRAME_COLUMNS,
    PERSON_COLUMNS,
    FrameRecord,
    parse_frame,
    parse_person,
    person_rows,
    with_truth,
)
from smpler_ros.bags.run_statistics import RunStatistics
from smpler_ros.bags.tables import GrowingFile, Table, read_rows
from tests.random_people import CAMERA, random_result
from tests.smpler_ros.bags.test_accuracy import people_of


def test_what_is_unknown_is_empty_in_the_table(tmp_path: Path) -> None:
    known, unknown = random_result(2, has_details=True), random_result(1)
    with Table(tmp_path / "people.csv", PERSON_COLUMNS) as file:
        for result in (known, unknown):
            file.write_rows(person_rows("/image", 0, result, None)[0])
    first, second, third = read_rows(tmp_path / "people.csv")
    motion = known.people.motion
    assert motion is not None
    assert known.people.joint_confidences is not None
    for row, person in enumerate((first, second)):
        read = [float(person[f"velocity_{axis}_m_s"]) for axis in "xyz"]
        np.testing.assert_allclose(read, motion.velocities_m_s[row], rtol=1e-6)
        assert float(person["facing_rad"]) == pytest.approx(motion.facings_rad[row], rel=1e-6)
        confidence = known.people.joint_confidences[row, SMPL_JOINTS.index("left_wrist")]
        assert float(person["left_wrist_confidence"]) == pytest.approx(confidence, rel=1e-6)
    assert (first["left_foot_contact"], second["left_foot_contact"] != "") == ("", True)
    assert third["position_x_m"] == third["facing_rad"] == third["pelvis_confidence"] == ""
    assert third["true_id"] == ""


def test_rows_are_read_back_unchanged(body: Body, tmp_path: Path) -> None:
    live, restored = RunStatistics(), RunStatistics()
    accuracy = CameraAccuracy(body, 0.5)
    with (
        Table(tmp_path / "people.csv", PERSON_COLUMNS) as people_file,
        Table(tmp_path / "frames.csv", FRAME_COLUMNS) as frames_file,
    ):
        for index in range(4):
            stamp = index * 40_000_000
            people, truth = people_of(body, 2, seed=index), people_of(body, 3, seed=9)
            pairs = accuracy.compare(stamp, people, truth) if index else None
            record = FrameRecord("/image", index, stamp, stamp + 5, index, len(people))
            record = with_truth(record, truth, pairs) if pairs else record
            result = FrameResult(stamp, "camera", CAMERA, people)
            rows, records = person_rows("/image", index, result, pairs)
            frames_file.write_rows([record.row()])
            people_file.write_rows(rows)
            live.add_frame(record)
            for person in records:
                live.add_person(person)
    for row in read_rows(tmp_path / "frames.csv"):
        restored.add_frame(parse_frame(row))
    for row in read_rows(tmp_path / "people.csv"):
        restored.add_person(parse_person(row))
    assert {key: sums.summary() for key, sums in live.errors.items()} == {
        key: sums.summary() for key, sums in restored.errors.items()
    }
    assert live.tracks == restored.tracks
    assert live.labelled == restored.labelled == {"/image": 3}
    everyone = live.errors[()]
    assert (everyone.true_people, everyone.pairs, everyone.missed, everyone.false) == (9, 6, 3, 0)
    assert everyone.figures["mpjpe_mm"][0] > 0
    assert set(everyone.figures) == set(FIGURES)


def test_who_is_hidden_is_missed_but_not_visible(body: Body) -> None:
    tally, accuracy = RunStatistics(), CameraAccuracy(body, 0.5)
    truth = people_of(body, 4)
    confidences = np.ones((4, 24))
    confidences[[1, 3], 4:] = 0.0
    truth = replace(truth, ids=np.array([11, 12, 13, 14]), joint_confidences=confidences)
    found = people_of(body, 2)  # the first two, of whom the second is hidden
    pairs = accuracy.compare(0, found, truth)
    record = with_truth(FrameRecord("/image", 0, 0, 0, 0, 2), truth, pairs)
    assert (record.missed_ids, record.hidden_ids) == ((13, 14), (12, 14))
    tally.add_frame(record)
    result = FrameResult(0, "camera", CAMERA, found)
    for person in person_rows("/image", 0, result, pairs)[1]:
        tally.add_person(person)
    everyone = tally.errors[()].summary()
    assert [everyone[name] for name in ("true_people", "missed", "pairs", "false")] == [4, 2, 2, 0]
    assert (everyone["visible_people"], everyone["visible_missed"]) == (2, 1)
    visible = {
        row: (sums.summary()["visible_people"], sums.summary()["visible_missed"])
        for (_, row), sums in ((key, sums) for key, sums in tally.errors.items() if len(key) == 2)
    }
    assert visible == {11: (1, 0), 12: (0, 0), 13: (1, 1), 14: (0, 0)}


def test_percentiles_are_over_batches() -> None:
    tally = RunStatistics()
    for milliseconds in range(1, 101):
        tally.add_timings({"read": float(milliseconds), "estimate": 10.0})
    latencies = tally.latencies()
    assert latencies["read"]["p50"] == pytest.approx(50.5)
    assert latencies["read"]["p99"] == pytest.approx(np.percentile(np.arange(1, 101), 99))
    assert latencies["together"]["mean"] == pytest.approx(60.5)


def test_all_faults_are_counted_and_the_first_listed() -> None:
    tally = RunStatistics()
    for number in range(500):
        tally.leave_out("/image", f"late by {number} ms")
    assert len(tally.left_out) <= 51
    assert sum(tally.left_out.values()) == 500


def test_files_are_rolled_back(tmp_path: Path) -> None:
    with GrowingFile(tmp_path / "log") as file:
        file.write("one\n")
        length = file.commit()
        file.write("tw")
    with GrowingFile(tmp_path / "log", length) as file:
        file.write("two\n")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    with Table(tmp_path / "table", ("a", "b")) as table:
        table.write_rows([(1, "x, y")])
        length = table.commit()
        table.write_rows([(2, "z")])
    with Table(tmp_path / "table", ("a", "b"), length) as table:
        table.write_rows([(3, "w")])
    with (tmp_path / "table").open() as lines:
        assert list(csv.reader(lines)) == [["a", "b"], ["1", "x, y"], ["3", "w"]]
