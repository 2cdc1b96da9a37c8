"""The order of training data, and the handling of unreadable rows."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data._utils.pin_memory import pin_memory

from smpler_model.network.config import MODELS, SMPLER_NANO
from training.data.data_settings import TsvData, TsvSet
from training.data.datasets import Sample, TsvDataset
from training.data.labelled_people import collate
from training.data.tsv_source import BAD_ROWS, MixedSample, TsvSource
from training.learning.processes import Processes
from training.settings import TrainSettings
from training.train import Run

SIDE = SMPLER_NANO.image_size
OWN = "(.*)"


def settings_for(folder: Path, output: Path, **changes: object) -> TrainSettings:
    data = TsvData(
        sets=(TsvSet(Path("eval.yaml"), sequence=OWN),),
        root=folder,
        validation_share=0.0,
        workers=0,
    )
    data = replace(data, **{k: v for k, v in changes.items() if hasattr(data, k)})
    plain = TrainSettings(
        data=data,
        output=output,
        threads=1,
        batch=2,
        epochs=2,
        autocast="none",
        warm_up=0,
        ema=0,
        checkpoint_every=2,
        evaluate_every=100,
        device="cpu",
    )
    return replace(plain, **{k: v for k, v in changes.items() if hasattr(plain, k)})


def source_for(settings: TrainSettings, processes: Processes | None = None) -> TsvSource:
    assert isinstance(settings.data, TsvData)
    settings.output.mkdir(parents=True, exist_ok=True)
    return TsvSource(settings, processes or Processes(), settings.data, SIDE)


def test_an_epoch_shows_everybody_once(seeded_data: Path, tmp_path: Path) -> None:
    source = source_for(settings_for(seeded_data, tmp_path))
    rows = [batch.rows.tolist() for batches in source.batches(0, 8) for batch in batches]
    first, second = (
        sorted(row for batch in part for row in batch) for part in (rows[:4], rows[4:])
    )
    assert first == second == list(range(8))
    assert rows[:4] != rows[4:]


def test_weights_set_how_often_rows_occur(seeded_data: Path, tmp_path: Path) -> None:
    sets = (TsvSet(Path("eval.yaml"), 2.0, OWN), TsvSet(Path("train.yaml"), 0.5, OWN))
    source = source_for(settings_for(seeded_data, tmp_path, sets=sets))
    assert source.examples == 20
    for epoch in range(3):
        counts = Counter(map(tuple, source.order(epoch).tolist()))
        assert all(counts[0, row] == 2 for row in range(8))
        assert sum(counts[1, row] for row in range(8)) == 4
    assert not np.array_equal(source.order(0), source.order(1))


def test_processes_share_a_step(seeded_data: Path, tmp_path: Path) -> None:
    settings = settings_for(seeded_data, tmp_path, batch=4)
    whole = next(iter(source_for(settings).batches(0, 1)))[0]
    halves = [
        next(iter(source_for(replace(settings, batch=2), Processes(r, 2)).batches(0, 1)))[0]
        for r in range(2)
    ]
    assert torch.equal(torch.cat([half.rows for half in halves]), whole.rows)
    assert torch.equal(torch.cat([half.images for half in halves]), whole.images)


def test_a_source_resumes_at_any_step(seeded_data: Path, tmp_path: Path) -> None:
    settings = settings_for(seeded_data, tmp_path)
    straight = [batches[0] for batches in source_for(settings).batches(0, 8)]
    resumed = [batches[0] for batches in source_for(settings).batches(5, 8)]
    for one, other in zip(straight[5:], resumed, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.pose, other.pose)


def test_validation_is_excluded_from_training(seeded_data: Path, tmp_path: Path) -> None:
    source = source_for(settings_for(seeded_data, tmp_path, validation_share=0.5))
    kept = {sample.sample.row for sample in source.validation}
    trained = set(source.order(0)[:, 1].tolist())
    assert kept
    assert trained
    assert not kept & trained
    assert kept | trained == set(range(8))


def test_sequences_stay_together(seeded_data: Path, tmp_path: Path) -> None:
    """By default keys up to their number are one sequence, here of everybody: nobody remains."""
    sets = (TsvSet(Path("eval.yaml")),)
    with pytest.raises(ValueError, match="both sides"):
        source_for(settings_for(seeded_data, tmp_path, sets=sets, validation_share=0.5))


@pytest.fixture
def damaged(seeded_data: Path, tmp_path: Path) -> Path:
    """The seeded set with two unreadable images."""
    folder = shutil.copytree(seeded_data, tmp_path / "damaged")
    table = folder / "eval.img.tsv"
    lines = table.read_text().splitlines()
    for row in (4, 5):
        key, encoded = lines[row].split("\t")
        lines[row] = f"{key}\t{'A' * len(encoded)}"
    table.write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_the_hash_tells_which_rows_are_used(seeded_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(seeded_data, folder)

    def hash_of() -> object:
        return source_for(settings_for(folder, tmp_path / "run")).facts["data_sha256"]

    before = hash_of()
    (folder / "another.tsv").write_text("of another set")
    assert hash_of() == before
    lines = folder / "eval.linelist.tsv"
    rows = lines.read_text().split("\n")
    lines.write_text("\n".join([rows[1], rows[0], *rows[2:]]))
    assert hash_of() != before


def test_bad_rows_are_reported_and_replaced(damaged: Path, tmp_path: Path) -> None:
    source = source_for(settings_for(damaged, tmp_path / "run"))
    batches = [batches[0] for batches in source.batches(0, 8)]
    assert all(len(batch) == 2 for batch in batches)
    assert not {4, 5} & {int(row) for batch in batches for row in batch.rows}
    assert len(source.bad) == 2
    named = (tmp_path / "run" / BAD_ROWS).read_text().splitlines()
    assert sorted(line.split(" of ")[0] for line in named) == ["row 4", "row 5"]


def test_bad_rows_of_the_validation_are_reported(damaged: Path, tmp_path: Path) -> None:
    source = source_for(settings_for(damaged, tmp_path / "run", bad_rows=1))
    model = torch.nn.Identity()  # is never asked: nobody can be read
    source.validation = [MixedSample(0, Sample(4, 0))]
    assert source.validate(model).errors == {}
    assert [reason.split(" of ")[0] for reason in source.bad] == ["row 4"]
    source.validation = [MixedSample(0, Sample(5, 0))]
    with pytest.raises(ValueError, match="at most 1"):
        source.validate(model)


def test_a_resumed_run_notes_no_bad_row_again(damaged: Path, tmp_path: Path) -> None:
    settings = settings_for(damaged, tmp_path / "run", bad_rows=2)
    list(source_for(settings).batches(0, 8))
    noted = (tmp_path / "run" / BAD_ROWS).read_text()
    resumed = source_for(settings)
    list(resumed.batches(0, 8))
    assert sorted(resumed.bad) == sorted(noted.splitlines())
    assert (tmp_path / "run" / BAD_ROWS).read_text() == noted


def test_too_many_bad_rows_stop(damaged: Path, tmp_path: Path) -> None:
    source = source_for(settings_for(damaged, tmp_path / "run", bad_rows=1))
    with pytest.raises(ValueError, match="at most 1"):
        list(source.batches(0, 8))


@pytest.mark.slow
def test_a_killed_run_resumes_exactly(
    seeded_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped within an epoch, and has dropout like the large models."""
    small = replace(SMPLER_NANO, image_size=64, dropout=0.1, regressor_dropout=0.5)
    monkeypatch.setitem(MODELS, SMPLER_NANO.name, small)
    straight = Run(settings_for(seeded_data, tmp_path / "straight"))
    straight.train()
    stopped = settings_for(seeded_data, tmp_path / "stopped")
    killed = Run(stopped)
    for batches in killed.source.batches(0, 3):
        killed.learner.step(batches)
    killed.save()
    torch.rand(7)  # the state of the global generator must not matter
    resumed = Run(stopped)
    assert resumed.learner.step_count == 3
    resumed.train()
    wanted = straight.learner.state()
    for name, values in resumed.learner.state()["objective"].items():
        assert torch.equal(values, wanted["objective"][name]), name


def test_loaders_pin_a_whole_batch(seeded_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a GPU, `DataLoader` pins only classes with a method for it."""
    dataset = TsvDataset(seeded_data / "eval.yaml", 64)
    batch = collate([dataset[row] for row in range(3)])
    pinned: list[int] = []

    def pin(values: Tensor, *_: object) -> Tensor:
        pinned.append(values.data_ptr())
        return values.clone()

    monkeypatch.setattr(Tensor, "pin_memory", pin)
    copied = pin_memory(batch)
    tensors = [value for value in vars(batch).values() if isinstance(value, Tensor)]
    assert pinned == [values.data_ptr() for values in tensors]
    assert copied.keys == batch.keys
    assert copied.images.data_ptr() != batch.images.data_ptr()
