"""Several sources in one batch of the network, each with its own losses."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.made_up_photos import prepare_photos
from training.data.crop_files import CropFiles
from training.data.data_settings import CropData, DataPart, MixedData, PhotoData
from training.data.mixed import Mixed
from training.data.photo_files import PhotoFiles
from training.learning.keypoint_objective import KeypointObjective
from training.learning.mixed_objective import (
    MixedObjective,
    find_places,
    make_objective,
    name_sources,
)
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoFiles:
    return PhotoFiles(prepare_photos(tmp_path_factory.mktemp("photos")), "train")


def make_settings(folder: Path) -> TrainSettings:
    parts = (DataPart(CropData()), DataPart(PhotoData(folder=folder)))
    return TrainSettings(data=MixedData(parts), autocast="none")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 30))
def test_every_person_has_one_row_and_refined_ones_come_first(
    sizes: list[int], refined: int
) -> None:
    if 0 < refined < len(sizes):
        with pytest.raises(ValueError, match="a person of each"):
            find_places(sizes, refined)
        return
    places = find_places(sizes, refined)
    total = sum(sizes)
    assert [len(found.rows) for found in places] == sizes
    assert sorted(torch.cat([found.rows for found in places]).tolist()) == list(range(total))
    count = refined if 0 < refined < total else total
    assert sorted(torch.cat([found.refined for found in places]).tolist()) == list(range(count))


@pytest.mark.parametrize("refined", [0, 4], ids=["all refined", "some refined"])
def test_the_loss_is_the_mean_of_the_sources(
    crops: CropFiles, photos: PhotoFiles, refined: int
) -> None:
    settings = replace(make_settings(Path()), refined_crops=refined)
    torch.manual_seed(0)
    model = build_starting_model(settings).eval()
    objective = make_objective(model, settings, settings.data).eval()
    assert isinstance(objective, MixedObjective)
    side = model.config.image_size
    rows = (torch.arange(6), torch.arange(3))
    some = (crops.batch(rows[0]), photos.batch(rows[1], side))
    mixed = objective(Mixed(some), objective.count(Mixed(some)))
    # Alone, each source has its share of the refined people.
    expected, places = 0.0, find_places([6, 3], refined)
    for part, batch, place in zip(settings.data.parts, some, places, strict=True):
        own = replace(settings, refined_crops=len(place.refined) if refined else 0, data=part.data)
        alone = make_objective(model, own, part.data).eval()
        expected += alone(batch, alone.count(batch)).loss.item() * len(batch) / 9
    assert mixed.loss.item() == pytest.approx(expected, rel=1e-4)
    assert {"crops total", "photos keypoints"} <= set(mixed.terms)


def test_the_network_is_registered_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    model = build_starting_model(settings)
    objective = make_objective(model, settings, settings.data)
    assert set(objective.state_dict()) == {f"model.{name}" for name in model.state_dict()}


def test_correction_lengths_are_limited_for_all_sources(
    crops: CropFiles, photos: PhotoFiles
) -> None:
    settings = replace(make_settings(Path()), length_weight=2.0)
    model = build_starting_model(settings)
    with torch.no_grad():
        for block in model.blocks:
            block.rotation_delta.weight.zero_()
            block.rotation_delta.bias.mul_(3)
    objective = make_objective(model, settings, settings.data).eval()
    rows = torch.arange(2)
    batch = Mixed((crops.batch(rows), photos.batch(rows, model.config.image_size)))
    found = objective(batch, objective.count(batch))
    assert found.terms["length"].item() == pytest.approx(2 * (3 - 1) ** 2)


def test_sources_of_one_kind_get_different_names() -> None:
    assert name_sources(["crops", "photos", "photos"]) == ["crops", "photos", "photos 2"]


def test_keypoints_are_learned_from_all_sources_at_once(
    crops: CropFiles, photos: PhotoFiles
) -> None:
    settings = replace(make_settings(Path()), trained="keypoints")
    model = build_starting_model(settings)
    objective = make_objective(model, settings, settings.data)
    assert isinstance(objective, KeypointObjective)
    batch = Mixed(
        (crops.batch(torch.arange(2)), photos.batch(torch.arange(1), model.config.image_size))
    )
    found = objective(batch, objective.count(batch))
    parts = [objective(part, objective.count(part)) for part in batch.parts]
    assert set(found.terms) == set(parts[0].terms) == {"peaks", "offsets", "reach", "read"}
    assert min(p.loss for p in parts) < found.loss < max(p.loss for p in parts)
