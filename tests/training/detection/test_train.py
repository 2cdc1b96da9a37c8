"""A small training writes weights with which the detector finds people."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.detectors.person_detector import PersonDetector
from smpler_model.detectors.person_weights import SHIPPED, load_person_network
from synthetic.scene import SyntheticScene
from training.configuration import load_configuration
from training.data.photo_files import PHOTO_JOINTS
from training.detection.learner import trainable_weights
from training.detection.settings import PersonTrainSettings
from training.detection.train import FIGURES, WEIGHTS, main

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[3] / "config" / "train" / "person.yaml"
PHOTOS = 24


def write_photos(folder: Path) -> Path:
    """Write drawn people with labels, in the place of photos."""
    camera = camera_from_field_of_view(320, 240, 60.0)
    scene = SyntheticScene(Body(load_builtin_body()), camera, people=1)
    shown = scene.frame(6_000_000_000)
    cv2.imwrite(str(folder / "0.png"), shown.frame.rgb[..., ::-1])
    person = {
        "box_xyxy": shown.truth.visible_boxes_xyxy[0].tolist(),
        "joints_px": [[0.0, 0.0, 0.0]] * len(PHOTO_JOINTS),
    }
    photos = []
    for row in range(PHOTOS):
        name = f"{row}.png"
        if row:
            (folder / name).hardlink_to(folder / "0.png")
        photos.append({"image": name, "people": [person]})
    labels = folder / "people.json"
    labels.write_text(json.dumps({"joints": PHOTO_JOINTS, "photos": photos}))
    return labels


def test_a_small_training(tmp_path: Path) -> None:
    output = tmp_path / "run"
    small = {
        "output": output,
        "photos": f"[{write_photos(tmp_path)}]",
        "scenes": 1,
        "first_seed": 1001,  # the next room is held out
        "images_per_scene": 4,
        "held_out_scenes": 1,
        "photo_images": 4,
        "held_out_photos": 2,
        "empty_images": 4,
        "held_out_empty": 1,
        "epochs": 2,
        "batch": 4,
    }
    assert main([str(CONFIG), *(f"{name}={value}" for name, value in small.items())]) == 0
    figures = json.loads((output / FIGURES).read_text())
    for time in ("before", "after"):
        assert figures[time]["held-out rooms, score 0.25"]["images"] == 4
        found = figures[time]["held-out rooms, score 0.25"]
        assert found["found"] > 0.5 * found["people"] > 0
        nobody = figures[time]["held-out photos without people, score 0.25"]
        assert (nobody["people"], nobody["images"]) == (0, 1)
    before, after = (load_person_network(path) for path in (SHIPPED, output / WEIGHTS))
    learns = {id(weights) for weights in trainable_weights(after)}
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        same = np.allclose(old.detach(), new.detach(), atol=1e-6)
        assert same or id(new) in learns, name
    assert not np.allclose(*(each.centre[1].weight.detach() for each in (before, after)))
    shown = cv2.imread(str(tmp_path / "0.png"))[..., ::-1]
    assert len(PersonDetector(output / WEIGHTS, threads=1).detect(np.ascontiguousarray(shown)))


def test_the_shipped_configuration() -> None:
    settings = load_configuration(PersonTrainSettings, CONFIG)
    assert settings.photos
    assert settings.first_seed > 100  # the demonstration's room and the benchmarks' are others


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("batch=0", "batch must be at least 1, got 0"),
        ("photos=[]", "photos must be files of labels for 1200 photo_images, got none"),
        ("photos=[nothing.json]", "labels must be a JSON file, got nothing.json"),
        ("initial=nothing.npz", "the detector's weights must be a file, got nothing.npz"),
    ],
)
def test_faults_are_one_sentence(
    change: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(CONFIG), f"output={tmp_path}", "scenes=1", change]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}")
    assert error.count("\n") == 1
