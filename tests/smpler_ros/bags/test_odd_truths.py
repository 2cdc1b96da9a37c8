"""Ground-truth files with faults, evaluated to the end."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.settings import EvaluationSettings
from tests.smpler_ros.bags.test_evaluation import stop_after
from tests.smpler_ros.bags.test_ground_truth import write_npz
from tests.smpler_ros.conftest import SMALL, WriteBag


@pytest.mark.slow
def test_a_row_of_nan_is_named_and_the_rest_measured(
    small_bag: Path, config: EvaluationSettings, engine: Engine, tmp_path: Path
) -> None:
    poses = np.zeros((8, 72))
    path = write_npz(tmp_path / "whole.npz", small_bag, pose=poses)
    plain = replace(config, outputs=(), truth=str(path))
    whole = evaluate_bag(small_bag, tmp_path / "whole", plain, engine)
    poses[2, 7] = np.nan
    path = write_npz(tmp_path / "truth.npz", small_bag, pose=poses)
    odd = replace(config, outputs=(), truth=str(path))
    summary = evaluate_bag(small_bag, tmp_path / "odd", odd, engine)
    assert summary["complete"]
    before, after = (each["accuracy"]["all"] for each in (whole, summary))
    assert before["pairs"] == 8
    assert after["pairs"] == after["true_people"] == 7
    assert (after["missed"], after["false"]) == (0, 0)
    assert all(np.isfinite(value) for value in after["joints_mm"].values())
    [left_out] = summary["left_out"]
    assert left_out["topic"] == str(path)
    assert left_out["count"] == 1
    with np.load(path) as truth:
        named = f"for person {truth['ids'][2]} at {truth['stamps_ns'][2]} ns"
    assert named in left_out["reason"]

    evaluate_bag(small_bag, tmp_path / "later", odd, engine, should_stop=stop_after(3))
    resumed = evaluate_bag(small_bag, tmp_path / "later", odd, engine, resume=True)
    assert resumed["accuracy"] == summary["accuracy"]
    assert resumed["left_out"] == summary["left_out"]


def test_truth_at_other_times_is_reported(
    small_bag: Path, config: EvaluationSettings, engine: Engine, tmp_path: Path
) -> None:
    path = write_npz(tmp_path / "truth.npz", small_bag)
    with np.load(path) as truth:
        seconds = truth["stamps_ns"] // 10**9
    write_npz(path, small_bag, stamps_ns=seconds)
    odd = replace(config, outputs=(), truth=str(path))
    summary = evaluate_bag(small_bag, tmp_path / "out", odd, engine)
    assert summary["frames"] == SMALL.frames
    assert summary["accuracy"] is None
    [left_out] = summary["left_out"]
    assert "must have stamps within 1 ms of the images of /camera/image_raw" in left_out["reason"]


def test_a_topic_with_other_fields_is_refused_in_one_sentence(
    write_bag: WriteBag, config: EvaluationSettings, engine: Engine, tmp_path: Path
) -> None:
    bag = write_bag("renamed", "sqlite3", seed=2)
    [file] = bag.glob("*.db3")
    with closing(sqlite3.connect(file)) as database, database:
        changed = database.execute(
            "UPDATE message_definitions SET encoded_message_definition = "
            "replace(encoded_message_definition, 'box_xyxy', 'bounding') "
            "WHERE topic_type LIKE '%SmplPersonArray'"
        )
        assert changed.rowcount == 1
    with pytest.raises(ValueError, match="with the fields of this version, got one with others"):
        evaluate_bag(bag, tmp_path / "out", replace(config, outputs=()), engine)
    plain = replace(config, outputs=(), truth="none", boxes="detector", detector="full_image")
    assert evaluate_bag(bag, tmp_path / "without", plain, engine)["frames"] == SMALL.frames
