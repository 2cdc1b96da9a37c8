"""Errors with their conventions, and their tables."""

import copy
import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import H36M_JOINTS, H36M_PELVIS
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from synthetic.crops import CropRenderer
from synthetic.tsv_files import write_tsv_dataset
from tests.smpl_files import save_smpl_npz
from training.configuration import settings_from_values
from training.data.datasets import TsvDataset
from training.data.labelled_people import LabelledPeople, collate
from training.evaluate import EvaluateSettings, evaluate, load_evaluated
from training.learning.processes import Processes
from training.scoring.scores import METRICS, Conventions, Scores, join, score, score_sequences

pytestmark = pytest.mark.slow


def read_all(path: Path, side: int) -> LabelledPeople:
    dataset = TsvDataset(path, side)
    return collate([dataset[row] for row in range(len(dataset))])


@pytest.fixture(scope="module")
def model() -> Smpler:
    torch.manual_seed(0)
    return build_model(SMPLER_NANO, load_builtin_body()).eval()


@pytest.fixture(scope="module")
def people_path(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    renderer = CropRenderer(body, SMPLER_NANO.image_size)
    return write_tsv_dataset(folder, "walk", renderer, 6, seed=0)


@pytest.fixture(scope="module")
def people(people_path: Path) -> LabelledPeople:
    return read_all(people_path, SMPLER_NANO.image_size)


def test_labelled_and_regressed_joints_agree(model: Smpler, people: LabelledPeople) -> None:
    """Synthetic labels come from the body with which the truth is posed."""
    labels, mesh = (
        score(model, people, Conventions(joint_truth=truth)).errors for truth in ("labels", "mesh")
    )
    for name in METRICS:
        np.testing.assert_allclose(labels[name], mesh[name], atol=0.02)


def test_another_origin_gives_other_errors(model: Smpler, people: LabelledPeople) -> None:
    """The built-in pelvis is the hips' midpoint: here it is regressed at the torso instead."""
    arrays = model.body.arrays()
    assert arrays.J_regressor_h36m is not None
    regressor = arrays.J_regressor_h36m.copy()
    regressor[H36M_PELVIS] = regressor[H36M_JOINTS.index("torso")]
    other = copy.deepcopy(model)
    other.body = Body(arrays.with_regressor(regressor))
    hips, pelvis = (
        score(other, people, Conventions(origin=origin, joint_truth="mesh")).errors
        for origin in ("hips", "pelvis")
    )
    assert (np.abs(hips["MPJPE"] - pelvis["MPJPE"]) > 5).any()
    np.testing.assert_allclose(hips["PA-MPJPE"], pelvis["PA-MPJPE"], atol=1e-3)
    np.testing.assert_array_equal(hips["MPVE"], pelvis["MPVE"])


def test_genders_use_their_own_bodies(model: Smpler, people: LabelledPeople) -> None:
    arrays = load_builtin_body()
    tall = Body(replace(arrays, v_template=1.1 * arrays.v_template))
    batch = replace(people, genders=("m", "female", "none", "male", "f", "none"))
    found = {
        gender: score(model, batch, Conventions(gender=gender), {"male": tall}).errors["MPVE"]
        for gender in ("neutral", "labelled")
    }
    changed = np.abs(found["neutral"] - found["labelled"]) > 1e-3
    assert changed.tolist() == [True, False, False, True, False, False]


def scores_of(keys: list[str], joints: np.ndarray, true_joints: np.ndarray) -> Scores:
    zeros = np.zeros(len(keys))
    errors = {name: zeros.copy() for name in METRICS}
    return Scores(np.arange(len(keys)), tuple(keys), errors, joints, true_joints)


def test_acceleration_follows_frames_and_stops_at_gaps() -> None:
    keys = [f"walk_{frame:05d}.jpg" for frame in (30, 0, 5, 10, 25, 35)]  # two runs of three
    truth = np.zeros((6, 14, 3))
    joints = truth.copy()
    seconds = np.array([30, 0, 5, 10, 25, 35]) / 5
    joints[:, 0, 0] = seconds**2 / 1000  # an ankle; second differences are 2 mm
    (row,) = score_sequences(scores_of(keys, joints, truth), r"^(.*)_\d+", Conventions())
    assert (row["sequence"], row["frames"], row["Accel frames"]) == ("walk", 6, 2)
    assert row["Accel"] == pytest.approx(2 / 14)


def test_sequences_have_separate_means() -> None:
    scores = scores_of(["a_1", "b_1", "a_2"], np.zeros((3, 14, 3)), np.zeros((3, 14, 3)))
    scores.errors["MPJPE"][:] = [10, 50, np.nan]
    rows = score_sequences(scores, r"^(.*)_\d+", Conventions())
    assert [(row["sequence"], row["frames"], row["MPJPE"]) for row in rows] == [
        ("a", 2, 10.0),
        ("b", 1, 50.0),
    ]


def test_nobody_is_counted_twice(model: Smpler, people: LabelledPeople) -> None:
    part = score(model, people, Conventions())
    with pytest.raises(ValueError, match="once"):
        join([part, part])


def settings_for(path: Path, checkpoint: Path, output: Path, **more: object) -> EvaluateSettings:
    values = {
        "model": SMPLER_NANO.name,
        "checkpoint": str(checkpoint),
        "root": str(path.parent),
        "data": {"yaml": path.name},
        "output": str(output),
        "workers": 0,
        "batch": 4,
        "device": "cpu",
        "threads": 1,
    }
    return settings_from_values(EvaluateSettings, values | more)


def test_results_are_written_with_their_conventions(
    nano_file: Path, people_path: Path, tmp_path: Path
) -> None:
    means = evaluate(settings_for(people_path, nano_file, tmp_path), Processes())
    rows = list(csv.DictReader((tmp_path / "people.csv").read_text().splitlines()))
    sequences = list(csv.DictReader((tmp_path / "sequences.csv").read_text().splitlines()))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [row["key"] for row in rows] == [f"walk_{i:06d}.jpg" for i in range(6)]
    for name in METRICS:
        mean = np.mean([float(row[name]) for row in rows])
        assert means[name] == pytest.approx(mean)
        assert summary["means"][name] == pytest.approx(mean)
    assert [row["frames"] for row in sequences] == ["6"]
    assert int(sequences[0]["Accel frames"]) == 4
    assert summary["conventions"] == vars(Conventions())
    assert len(summary["checkpoint_sha256"]) == 64


def write_regressor(folder: Path) -> Path:
    """Write a joint regressor that is nobody's own."""
    regressor = np.zeros((17, 6890), np.float32)
    regressor[:, ::400] = 1 / 18
    np.save(folder / "regressor.npy", regressor)
    return folder / "regressor.npy"


def test_regressor_of_the_data_set_is_used(
    nano_file: Path, people_path: Path, tmp_path: Path
) -> None:
    regressor = write_regressor(tmp_path)
    plain = evaluate(settings_for(people_path, nano_file, tmp_path / "a"), Processes())
    other = settings_for(people_path, nano_file, tmp_path / "b", regressor=str(regressor))
    assert evaluate(other, Processes())["MPJPE"] != pytest.approx(plain["MPJPE"], rel=1e-3)
    hashes = [json.loads((tmp_path / n / "summary.json").read_text()) for n in ("a", "b")]
    assert hashes[0]["regressor_sha256"] != hashes[1]["regressor_sha256"]
    assert {each["body"] for each in hashes} == {"the checkpoint's"}


def test_regressors_for_smpl_are_refused_with_the_built_in_body(
    model: Smpler, people_path: Path, tmp_path: Path
) -> None:
    regressor = write_regressor(tmp_path)
    for has_body in (False, True):
        checkpoint = tmp_path / f"{has_body}.pt"
        save_checkpoint(model, checkpoint, include_body=has_body)
        settings = settings_for(people_path, checkpoint, tmp_path, regressor=str(regressor))
        with pytest.raises(ValueError, match=r"got the built-in one.*give bodies=models/smpl"):
            load_evaluated(settings)


def test_gendered_evaluation_reads_both_bodies(
    nano_file: Path, people_path: Path, tmp_path: Path
) -> None:
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    for gender in ("male", "female"):
        save_smpl_npz(load_builtin_body(), bodies / f"SMPL_{gender.upper()}.npz")
    settings = settings_for(
        people_path,
        nano_file,
        tmp_path / "run",
        bodies=str(bodies),
        conventions={"gender": "labelled"},
    )
    assert np.isfinite(evaluate(settings, Processes())["MPVE"])
    with pytest.raises(ValueError, match="needs bodies"):
        settings_for(people_path, nano_file, tmp_path, conventions={"gender": "labelled"})


def test_results_are_written_before_the_error(
    nano_file: Path, people_path: Path, tmp_path: Path
) -> None:
    for file in people_path.parent.glob("walk.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = tmp_path / "walk.img.tsv"
    lines = table.read_text().splitlines()
    key, encoded = lines[2].split("\t")
    lines[2] = f"{key}\t{'A' * len(encoded)}"
    table.write_text("".join(f"{line}\n" for line in lines))
    output = tmp_path / "run"
    with pytest.raises(ValueError, match="row 2"):
        evaluate(settings_for(tmp_path / "walk.yaml", nano_file, output), Processes())
    summary = json.loads((output / "summary.json").read_text())
    assert summary["people"] == 5
    assert len(summary["unreadable"]) == 1
