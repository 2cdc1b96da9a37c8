import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from synthetic.crop_style import CropStyle
from synthetic.people.poses import draw_poses
from synthetic.people.recorded import write_poses
from training.data import render_crops
from training.data.crop_files import CropFiles, shard_path
from training.data.data_settings import CropData, DataPart, MixedData
from training.settings import TrainSettings, crop_data, load_settings

TRAIN = Path(__file__).parents[3] / "config" / "train"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml"], "the configuration must be a YAML file, got missing.yaml"),
        ([str(TRAIN / "nano.yaml"), "--part", "2"], "part must be 0/N to N-1/N"),
        ([str(TRAIN / "nano.yaml"), "--part", "2/2"], "part must be 0/N to N-1/N"),
        ([str(TRAIN / "smpler_w32.yaml")], "crops"),
        ([str(TRAIN / "nano.yaml"), "--sheet", "crops.gif"], "must be a .png or .jpg file"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["render_crops", *arguments])
    assert render_crops.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said


def test_crops_to_train_on_have_the_style_asked_for(tmp_path: Path) -> None:
    write_poses(draw_poses(2, torch.Generator().manual_seed(0)), tmp_path / "poses.npz")
    cv2.imwrite(str(tmp_path / "street.png"), np.zeros((40, 40, 3), np.uint8))
    data = CropData(
        poses=tmp_path, recorded=0.6, backgrounds=(tmp_path,), photographed=0.5, bare=0.3
    )
    renderer = render_crops.make_shown_renderer(TrainSettings(data=data), data)
    assert renderer.style == CropStyle(recorded=0.6, photographed=0.5, bare=0.3)
    assert renderer.poses is not None
    assert len(renderer.poses) == 2
    assert renderer.photos is not None
    assert [photo.path.name for photo in renderer.photos.photos] == ["street.png"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"recorded": 0.5}, "recorded 0.5 needs poses"),
        ({"photographed": 0.5}, "photographed 0.5 needs backgrounds"),
        ({"harsh": 1.5}, "harsh must be from 0 to 1"),
    ],
)
def test_shares_without_what_they_are_of_are_refused(
    shares: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CropData(**shares)


@pytest.mark.slow
def test_a_sheet_shows_crops_to_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of seed 0, row by row."""
    sheet = tmp_path / "crops.png"
    config = str(TRAIN / "synthetic.yaml")
    monkeypatch.setattr(sys, "argv", ["render_crops", config, "--sheet", str(sheet)])
    assert render_crops.main() == 0
    assert re.fullmatch(rf"{sheet}: [\d.]+ crops a second of CPU time\n", capsys.readouterr().out)
    settings = load_settings(config)
    renderer = render_crops.make_shown_renderer(settings, *crop_data(settings))
    first = renderer.draw_seen(8, torch.Generator().manual_seed(0)).images[1]
    side = renderer.size
    image = cv2.imread(str(sheet))[..., ::-1]
    assert image.shape == (8 * side, 8 * side, 3)
    assert np.array_equal(image[:side, side : 2 * side], first.permute(1, 2, 0).numpy())


def test_crops_of_each_source_get_its_style(tmp_path: Path) -> None:
    """Held-out ones have the same style everywhere."""
    rooms, other = (
        CropData(folder=tmp_path / name, shards=1, held_out_shards=1, crops=2, everyday=everyday)
        for name, everyday in (("rooms", 1.0), ("other", 0.0))
    )
    settings = TrainSettings(data=MixedData((DataPart(rooms), DataPart(other))))
    for part in range(2):
        render_crops.render_crops(settings, part, 2)
    shown, held_out = (
        [
            CropFiles([shard_path(data.folder, seed)]).batch(torch.arange(2)).images
            for data in (rooms, other)
        ]
        for seed in (0, rooms.held_out_seed)
    )
    assert not torch.equal(*shown)
    assert torch.equal(*held_out)


def test_sources_of_crops_must_not_share_a_folder(tmp_path: Path) -> None:
    parts = (DataPart(CropData(folder=tmp_path)), DataPart(CropData(folder=tmp_path, bare=0.3)))
    with pytest.raises(ValueError, match="each source of crops must have a folder of its own"):
        MixedData(parts)


@pytest.mark.parametrize(("text", "part"), [("0/1", (0, 1)), ("3/4", (3, 4))])
def test_parts(text: str, part: tuple[int, int]) -> None:
    assert render_crops.read_part(text) == part
