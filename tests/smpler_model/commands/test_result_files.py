import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smpler_model.cameras.camera import Camera
from smpler_model.commands.result_files import ArraysFile, JsonLinesFile, axis_angles
from smpler_model.frames import FrameResult
from tests.results import make_people, make_result

LENS = (-0.1, 0.02, 0.0, 0.0, 0.0)
CAMERA = Camera(320, 240, 250.0, 251.0, 160.0, 120.0, "plumb_bob", LENS)


def results() -> list[FrameResult]:
    """Two people, nobody, and one person partly behind the camera."""
    rng = np.random.default_rng(0)
    rotations = Rotation.random(48, random_state=1).as_matrix().reshape(2, 24, 3, 3)
    two = make_people(rng.normal([0, 0, 3], 0.3, (2, 3)), CAMERA, ids=[4, 9])
    two.rotations[:] = rotations
    nobody = make_people(np.empty((0, 3)), CAMERA)
    behind = make_people(np.array([[0.0, 0.1, 2.0]]), CAMERA, ids=[9])
    behind.keypoints_px[0, 3] = np.nan
    people = (two, nobody, behind)
    return [make_result(each, CAMERA, i * 10**8) for i, each in enumerate(people)]


def test_lines_contain_everything(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    file = JsonLinesFile(path)
    for index, result in enumerate(results()):
        file.write(index, f"picture{index}", result)
        # Complete after every line, whatever comes next.
        assert len(path.read_text().splitlines()) == index + 1
    file.close()
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    assert first["name"] == "picture0"
    assert first["camera"]["coefficients"] == list(LENS)
    assert second["people"] == []
    people = results()[0].people
    person = first["people"][1]
    assert (person["id"], person["state"], person["translation_source"]) == (
        9, "confirmed", "body_size",
    )  # fmt: skip
    rotations = Rotation.from_rotvec(np.reshape(person["pose"], (24, 3))).as_matrix()
    np.testing.assert_allclose(rotations, people.rotations[1], atol=1e-5)
    for name in ("translation_m", "joints_m", "keypoints_px"):
        expected = getattr(people, name.replace("translation_m", "translations_m"))[1]
        np.testing.assert_allclose(person[name], expected, atol=1e-5)
    assert np.shape(person["translation_covariance_m2"]) == (3, 3)
    assert third["people"][0]["keypoints_px"][3] == [None, None]


def test_arrays_contain_the_same(tmp_path: Path) -> None:
    path = tmp_path / "results.npz"
    file = ArraysFile(path)
    for index, result in zip((0, 2, 3), results(), strict=True):
        file.write(index, "", result)
    file.close()
    assert [each.name for each in tmp_path.iterdir()] == ["results.npz"]
    with np.load(path) as arrays:
        assert arrays["frame_indices"].tolist() == [0, 2, 3]
        assert arrays["frame_stamps_ns"].tolist() == [0, 10**8, 2 * 10**8]
        assert arrays["frames"].tolist() == [0, 0, 2]
        assert arrays["ids"].tolist() == [4, 9, 9]
        assert arrays["poses"].shape == (3, 72)
        np.testing.assert_allclose(
            arrays["poses"][:2], axis_angles(results()[0].people), atol=1e-6
        )
        np.testing.assert_allclose(
            arrays["joints_m"][2], results()[2].people.joints_m[0], atol=1e-6
        )
        assert np.isnan(arrays["keypoints_px"][2, 3]).all()
        np.testing.assert_allclose(arrays["frame_coefficients"][0, :5], LENS)
        np.testing.assert_allclose(arrays["frame_intrinsics"][1], [250, 251, 160, 120])


@pytest.mark.parametrize("kind", [JsonLinesFile, ArraysFile])
def test_a_run_without_frames_leaves_a_valid_file(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "results"
    kind(path).close()
    assert path.exists()
