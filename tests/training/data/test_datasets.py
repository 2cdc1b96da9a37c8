import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from smpler_model.network.config import IMAGENET_MEAN, IMAGENET_STD
from tests.parity.seeded_checkpoint import DATA, VARIANTS
from tests.parity.seeded_dataset import ROWS, write_table
from training.data.data_settings import Augmentation
from training.data.datasets import RowError, Sample, TsvDataset
from training.data.labelled_people import Fault, LabelledPerson, collate

CLOSE = 1e-4


@pytest.fixture(scope="module")
def people(seeded_data: Path) -> list[LabelledPerson]:
    dataset = TsvDataset(seeded_data / "eval.yaml", 224)
    return [dataset.read(row) for row in range(len(dataset))]


@pytest.mark.parametrize("variant", VARIANTS)
def test_items_equal_the_reference(people: list[LabelledPerson], variant: str) -> None:
    expected = np.load(DATA / f"expected_eval_{variant}.npz")
    assert [person.key for person in people] == expected["keys"].tolist()
    mean, std = (np.array(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    images = np.stack([(person.image / 255 - mean) / std for person in people])
    assert np.abs(images[:, :, 96:128, 96:128] - expected["image_patch"]).max() < CLOSE
    assert np.abs(images.mean((1, 2, 3)) - expected["image_mean"]).max() < CLOSE
    names = {"keypoints": "joints_2d", "joints": "joints_3d", "pose": "pose", "betas": "betas"}
    for ours, theirs in names.items():
        values = np.stack([getattr(person, ours) for person in people])
        assert np.abs(values - expected[theirs]).max() < CLOSE, ours


def test_composite_rows_come_in_their_order(
    seeded_data: Path, people: list[LabelledPerson]
) -> None:
    dataset = TsvDataset(seeded_data / "train.yaml", 224)
    expected = np.load(DATA / f"expected_eval_{VARIANTS[0]}.npz")["composite_keys"].tolist()
    assert [dataset.key(row) for row in range(len(dataset))] == expected
    by_key = {person.key: person for person in people}
    for row in range(len(dataset)):
        person = dataset.read(row)
        np.testing.assert_array_equal(person.image, by_key[person.key].image)


def test_composite_parts_may_be_listed_in_a_file(seeded_data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(seeded_data, tmp_path / "data")
    for column in ("img", "label"):
        (folder / f"{column}.list").write_text(f"part0.{column}.tsv\npart1.{column}.tsv\n")
    yaml = "composite: true\nimg: img.list\nlabel: label.list\nlinelist: train.linelist.tsv\n"
    (folder / "listed.yaml").write_text(yaml)
    listed = TsvDataset(folder / "listed.yaml", 64)
    usual = TsvDataset(folder / "train.yaml", 64)
    assert [listed.key(r) for r in range(8)] == [usual.key(r) for r in range(8)]


def test_workers_read_the_same_as_one_process(seeded_data: Path) -> None:
    dataset = TsvDataset(seeded_data / "train.yaml", 64, Augmentation(), seed=3)
    samples = [[Sample(row % ROWS, row) for row in range(k, k + 4)] for k in range(0, 24, 4)]
    alone, shared = (
        [
            collate_values
            for batch in DataLoader(
                dataset, batch_sampler=samples, num_workers=workers, collate_fn=collate
            )
            for collate_values in (batch.images, batch.pose)
        ]
        for workers in (0, 2)
    )
    for one, other in zip(alone, shared, strict=True):
        assert (one == other).all()
    assert not (alone[0] == alone[4]).all()  # the same rows, changed in another way


@pytest.fixture
def broken_data(seeded_data: Path, tmp_path: Path) -> Path:
    """The single set, with a fault in all rows but one."""
    folder = shutil.copytree(seeded_data, tmp_path / "data")
    rows = {
        column: [
            line.split("\t")
            for line in (folder / f"eval.{column}.tsv").read_text().split("\n")[:-1]
        ]
        for column in ("img", "label")
    }
    rows["img"][0][1] = rows["img"][0][1][:101]
    rows["img"][1][1] = "bm8gaW1hZ2U="
    rows["label"][2][1] = "[{"
    rows["label"][3][0] = "other.png"
    for row, name, value in ((4, "pose", [0.0] * 71), (5, "scale", 0.0), (6, "betas", None)):
        label = json.loads(rows["label"][row][1])
        label[0][name] = value
        if value is None:
            del label[0][name]
        rows["label"][row][1] = json.dumps(label)
    for column, lines in rows.items():
        write_table(folder / f"eval.{column}.tsv", lines)
    return folder / "eval.yaml"


def test_faults_are_named(broken_data: Path) -> None:
    dataset = TsvDataset(broken_data, 64)
    reasons = [
        item.reason for item in (dataset[row] for row in range(7)) if isinstance(item, Fault)
    ]
    words = ["base64", "decoded", "JSON|Expecting", "other.png", "pose", "scale", "betas"]
    assert len(reasons) == len(words)
    for row, (reason, word) in enumerate(zip(reasons, words, strict=True)):
        assert f"row {row} of" in reason
        assert any(part in reason for part in word.split("|")), reason
    with pytest.raises(RowError):
        dataset.read(0)


@pytest.mark.parametrize(
    ("name", "flag", "value"),
    [("betas", "has_smpl", 1e30), ("pose", "has_smpl", -1e4), ("3d_joints", "has_3d_joints", 1e6)],
)
def test_impossible_labels_are_faults(
    seeded_data: Path, tmp_path: Path, name: str, flag: str, value: float
) -> None:
    folder = shutil.copytree(seeded_data, tmp_path / "data")
    table = folder / "eval.label.tsv"
    lines = [line.split("\t") for line in table.read_text().split("\n")[:-1]]
    labels = [json.loads(line[1]) for line in lines]
    chosen = next(row for row, label in enumerate(labels) if label[0][flag])
    others = [row for row, label in enumerate(labels) if not label[0][flag]]
    for row in (chosen, *others):
        numbers = np.array(labels[row][0][name], float)
        numbers.flat[1] = value
        labels[row][0][name] = numbers.tolist()
        lines[row][1] = json.dumps(labels[row])
    write_table(table, lines)
    dataset = TsvDataset(folder / "eval.yaml", 64)
    fault = dataset[chosen]
    assert isinstance(fault, Fault)
    assert f"row {chosen} of" in fault.reason
    assert f"'{name}' must be within" in fault.reason
    assert others
    assert not [row for row in others if isinstance(dataset[row], Fault)]


def test_scales_in_pixels_are_faults(seeded_data: Path, tmp_path: Path) -> None:
    """Their squares would fill the memory."""
    folder = shutil.copytree(seeded_data, tmp_path / "data")
    table = folder / "eval.label.tsv"
    lines = [line.split("\t") for line in table.read_text().split("\n")[:-1]]
    label = json.loads(lines[0][1])
    label[0]["scale"] = 250
    lines[0][1] = json.dumps(label)
    write_table(table, lines)
    fault = TsvDataset(folder / "eval.yaml", 64)[0]
    assert isinstance(fault, Fault)
    assert "row 0 of" in fault.reason
    assert "scale must be positive, in units of 200 pixels" in fault.reason


def test_faults_are_kept_beside_the_people(broken_data: Path) -> None:
    batch = collate([TsvDataset(broken_data, 64)[row] for row in range(8)])
    assert len(batch) == 1
    assert batch.rows.tolist() == [7]
    assert [fault.row for fault in batch.faults] == list(range(7))


def test_empty_batches(broken_data: Path) -> None:
    batch = collate([TsvDataset(broken_data, 64)[0]], 64)
    assert len(batch) == 0
    assert batch.images.shape == (0, 3, 64, 64)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("label: eval.label.tsv\n", "table 'img'"),
        ("img: eval.img.tsv\nlabel: none.tsv\n", "none.tsv"),
        ("img: eval.img.tsv\nlabel: eval.label.tsv\nlinelist: none\n", "linelist"),
        ("img: eval.img.tsv\nlabel: part1.label.tsv\nlinelist: eval.linelist.tsv\n", "rows"),
        ("- img\n", "tables"),
        ("composite: true\nimg: [part0.img.tsv]\nlabel: [part0.label.tsv]\n", "linelist"),
    ],
)
def test_inconsistent_sets_are_refused(
    seeded_data: Path, tmp_path: Path, yaml: str, message: str
) -> None:
    (tmp_path / "set.yaml").write_text(yaml)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        TsvDataset(tmp_path / "set.yaml", 64, root=seeded_data)
