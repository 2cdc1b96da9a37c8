"""A run on rendered crops and photos together, exactly resumable like one on a single source."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import load_model
from tests.training.data.made_up_photos import prepare_photos
from training.configuration import plain_values, settings_from_values
from training.data.data_settings import CropData, DataPart, MixedData, PhotoData
from training.data.mixed import Mixed
from training.settings import TrainSettings
from training.train import WEIGHTS, Run

pytestmark = pytest.mark.slow


@pytest.fixture
def mixed_settings(settings: TrainSettings, tmp_path: Path) -> TrainSettings:
    assert isinstance(settings.data, CropData)
    photos = PhotoData(folder=prepare_photos(tmp_path))
    parts = (DataPart(settings.data, weight=3.0), DataPart(photos))
    return replace(
        settings, data=MixedData(parts), batch=4, steps=2, checkpoint_every=1, optimiser="muon"
    )


def test_every_batch_has_people_of_each_source(mixed_settings: TrainSettings) -> None:
    run = Run(mixed_settings)
    (first,), (second,) = run.source.batches(0, 2)
    assert isinstance(first, Mixed)
    assert [len(part) for part in first.parts] == [3, 1]
    (again,) = next(iter(run.source.batches(1, 2)))
    for one, other in zip(second.parts, again.parts, strict=True):
        assert torch.equal(one.images, other.images)


def test_resuming_changes_nothing(mixed_settings: TrainSettings) -> None:
    straight = Run(mixed_settings)
    straight.train()
    errors = straight.source.validate(straight.learner.mean_model).errors
    assert {"MPJPE", "PA-MPJPE", "PCK@0.1-1", "MPJPE-1"} <= set(errors)
    again = replace(mixed_settings, output=mixed_settings.output / "again")
    stopped = Run(again)
    stopped.learner.step(next(iter(stopped.source.batches(0, 1))))
    stopped.save()
    resumed = Run(again)
    resumed.train()
    wanted = straight.learner.state()["objective"]
    for name, values in resumed.learner.state()["objective"].items():
        assert torch.equal(values, wanted[name]), name
    model = load_model(mixed_settings.output / WEIGHTS, body=load_builtin_body())
    assert all(torch.isfinite(values).all() for values in model.parameters())


def test_settings_of_several_sources_are_written_and_read(mixed_settings: TrainSettings) -> None:
    assert settings_from_values(TrainSettings, plain_values(mixed_settings)) == mixed_settings


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: MixedData((DataPart(CropData()),)), "must name several sources, got 1"),
        (lambda: DataPart(PhotoData(), weight=0), "weight must be positive, got 0 for photos"),
        (lambda: PhotoData(joint_scale_m=0), "joint_scale_m must be positive"),
        (
            lambda: TrainSettings(data=PhotoData(), frame_weight=0.5),
            "frame_weight needs crops, got photos",
        ),
    ],
    ids=["one source", "no weight", "no scale", "rotations without crops"],
)
def test_invalid_data_settings_are_refused(build: object, reason: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=reason):
        build()
