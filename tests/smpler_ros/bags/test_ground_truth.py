from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smpler_model.bags.reader import SourceError, open_bag
from smpler_model.frames import People
from smpler_ros.bags.ground_truth import (
    FileTruth,
    TopicTruth,
    find_truth_topics,
    read_file_truths,
)
from smpler_ros.camera.scene_bag import START_NS
from smpler_ros.messages.convert import people_from_message
from tests.smpler_ros.conftest import SMALL, WriteBag

TOPIC = "/camera/ground_truth/people"
STEP_NS = 100_000_000


def truths_in(bag: Path) -> dict[int, People]:
    with open_bag(bag) as reader:
        return {
            each.time_ns: people_from_message(each.message)
            for each in reader.read_messages([TOPIC])
        }


def test_people_are_found_by_the_stamp(small_bag: Path) -> None:
    expected = truths_in(small_bag)
    with open_bag(small_bag) as reader:
        truth = TopicTruth(reader, TOPIC)
        for stamp, people in expected.items():
            found = truth.at(stamp + 900_000)
            assert found is not None
            np.testing.assert_array_equal(found.joints_m, people.joints_m)
            assert truth.at(stamp + 5_000_000) is None
        # Asked for again, it is still held.
        assert truth.at(START_NS) is not None
        assert truth.at(START_NS + 3600_000_000_000) is None


def write_npz(path: Path, small_bag: Path, **changes: object) -> Path:
    rows = [(stamp, people) for stamp, people in truths_in(small_bag).items()]
    fields = {
        "stamps_ns": np.concatenate([np.full(len(people), stamp) for stamp, people in rows]),
        "ids": np.concatenate([people.ids for _, people in rows]),
        "boxes_xyxy": np.concatenate([people.boxes_xyxy for _, people in rows]),
        "pose": Rotation.from_matrix(
            np.concatenate([people.rotations for _, people in rows]).reshape(-1, 3, 3)
        )
        .as_rotvec()
        .reshape(-1, 72),
        "betas": np.concatenate([people.betas for _, people in rows]),
        "translations_m": np.concatenate([people.translations_m for _, people in rows]),
    }
    np.savez(
        path, **{name: value for name, value in (fields | changes).items() if value is not None}
    )
    return path


def test_a_file_holds_what_the_topic_does(small_bag: Path, tmp_path: Path) -> None:
    path = write_npz(
        tmp_path / "truth.npz", small_bag, labelled_ns=np.array([START_NS + 7 * 10**9])
    )
    truth = FileTruth(path, "/camera/image_raw")
    for stamp, expected in truths_in(small_bag).items():
        people = truth.at(stamp)
        assert people is not None
        assert people.ids.tolist() == expected.ids.tolist()
        np.testing.assert_allclose(people.rotations, expected.rotations, atol=1e-12)
        np.testing.assert_array_equal(people.translations_m, expected.translations_m)
    nobody = truth.at(START_NS + 7 * 10**9)
    assert nobody is not None
    assert len(nobody) == 0
    assert truth.at(START_NS + 8 * 10**9) is None


def test_rows_of_other_cameras_are_left_out(small_bag: Path, tmp_path: Path) -> None:
    rows = sum(len(people) for people in truths_in(small_bag).values())
    path = write_npz(tmp_path / "truth.npz", small_bag, cameras=np.array(["/other"] * rows))
    assert FileTruth(path, "/camera/image_raw").at(START_NS) is None
    assert FileTruth(path, "/other").at(START_NS) is not None


def test_a_file_tells_the_cameras_of_a_bag_apart(small_bag: Path, tmp_path: Path) -> None:
    names = ["/left", "/right"]
    path = write_npz(tmp_path / "truth.npz", small_bag)
    assert list(read_file_truths(path, ["/left"], ["/left"])) == ["/left"]
    with pytest.raises(ValueError, match=r"must hold cameras, .* for a bag with several"):
        read_file_truths(path, names, names)
    rows = sum(len(people) for people in truths_in(small_bag).values())
    path = write_npz(tmp_path / "truth.npz", small_bag, cameras=np.array(["/lift"] * rows))
    with pytest.raises(ValueError, match="must be image topics of the bag, got '/lift'"):
        read_file_truths(path, names, names)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"pose": None},
            r"must hold pose of shape \(\d+, 72\), one row a person an image, got none",
        ),
        ({"ids": np.zeros(3)}, r"must hold ids of shape \(\d+,\).*got \(3,\)"),
        ({"ids": np.array([{}])}, "must be a .npz of plain arrays"),
    ],
)
def test_files_of_another_form(
    changes: dict[str, object], reason: str, small_bag: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        FileTruth(write_npz(tmp_path / "truth.npz", small_bag, **changes), "/camera/image_raw")


def test_topics_belong_to_the_cameras_beside_them(write_bag: WriteBag) -> None:
    with open_bag(write_bag("two", cameras=2)) as reader:
        names = [camera.image for camera in reader.cameras]
        assert find_truth_topics(reader, names, "") == {
            "/camera_0/image_raw": "/camera_0/ground_truth/people",
            "/camera_1/image_raw": "/camera_1/ground_truth/people",
        }
        with pytest.raises(SourceError, match="got '/nobody'; choose one of them"):
            find_truth_topics(reader, names, "/nobody")
        with pytest.raises(SourceError, match="name one topic of the truth for each camera"):
            find_truth_topics(reader, names[:1], "")


def test_what_a_node_said_is_not_taken_for_the_truth(small_bag: Path) -> None:
    with open_bag(small_bag) as reader:
        said = {TOPIC: "/camera/people"}
        reader.topics = {said.get(name, name): topic for name, topic in reader.topics.items()}
        assert find_truth_topics(reader, ["/camera/image_raw"], "") == {}
        named = find_truth_topics(reader, ["/camera/image_raw"], "/camera/people")
    assert named == {"/camera/image_raw": "/camera/people"}


def test_a_bag_without_truth_has_none(small_bag: Path) -> None:
    assert SMALL.people
    with open_bag(small_bag) as reader:
        reader.topics = {name: topic for name, topic in reader.topics.items() if name != TOPIC}
        assert find_truth_topics(reader, ["/camera/image_raw"], "") == {}
