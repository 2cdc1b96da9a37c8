from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smpler_model.bags.people_topics import find_truth_topics, people_from_message
from smpler_model.bags.reader import SourceError, open_bag
from smpler_model.frames import People
from smpler_ros.bags.ground_truth import (
    FileTruth,
    TopicTruth,
    read_file_truths,
    usable_rows,
    visible_rows,
)
from smpler_ros.camera.scene_bag import START_NS
from tests.random_people import random_people
from tests.smpler_ros.conftest import SMALL, WriteBag

TOPIC = "/camera/ground_truth/people"
STEP_NS = 100_000_000


def truths_in(bag: Path) -> dict[int, People]:
    with open_bag(bag) as reader:
        return {
            each.time_ns: people_from_message(each.message)
            for each in reader.read_messages([TOPIC])
        }


def test_truth_is_found_by_timestamp(small_bag: Path) -> None:
    expected = truths_in(small_bag)
    with open_bag(small_bag) as reader:
        truth = TopicTruth(reader, TOPIC)
        for stamp, people in expected.items():
            found = truth.at(stamp + 900_000)
            assert found is not None
            np.testing.assert_array_equal(found.joints_m, people.joints_m)
            assert truth.at(stamp + 5_000_000) is None
        # It is still available when requested again.
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


def test_a_file_equals_the_topic(small_bag: Path, tmp_path: Path) -> None:
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


def test_people_of_whom_little_is_in_view_are_not_visible() -> None:
    people = random_people(5)
    confidences = np.zeros((5, 24))
    confidences[0, :5], confidences[1, :4] = 1, 1  # five of 24 are 21 %
    confidences[2], confidences[3] = np.nan, 0.1
    confidences[4] = 0.2
    seen = visible_rows(replace(people, joint_confidences=confidences))
    assert seen.tolist() == [True, False, True, False, True]
    assert visible_rows(replace(people, joint_confidences=None)).all()


def test_a_file_may_say_what_is_in_view(small_bag: Path, tmp_path: Path) -> None:
    rows = sum(len(people) for people in truths_in(small_bag).values())
    confidences = np.zeros((rows, 24))
    path = write_npz(tmp_path / "truth.npz", small_bag, joint_confidences=confidences)
    stamp, expected = next(iter(truths_in(small_bag).items()))
    people = FileTruth(path, "/camera/image_raw").at(stamp)
    assert people is not None
    assert len(people) == len(expected)
    assert not visible_rows(people).any()
    path = write_npz(tmp_path / "truth.npz", small_bag, joint_confidences=confidences[:, :14])
    with pytest.raises(ValueError, match=r"must hold joint_confidences of shape \(\d+, 24\)"):
        FileTruth(path, "/camera/image_raw")


def test_rows_of_other_cameras_are_left_out(small_bag: Path, tmp_path: Path) -> None:
    rows = sum(len(people) for people in truths_in(small_bag).values())
    path = write_npz(tmp_path / "truth.npz", small_bag, cameras=np.array(["/other"] * rows))
    assert FileTruth(path, "/camera/image_raw").at(START_NS) is None
    assert FileTruth(path, "/other").at(START_NS) is not None


def test_a_file_distinguishes_the_cameras_of_a_bag(small_bag: Path, tmp_path: Path) -> None:
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
            r"must hold pose of shape \(\d+, 72\), one row per person and image, got none",
        ),
        ({"ids": np.zeros(3)}, r"must hold ids of shape \(\d+,\).*got \(3,\)"),
        ({"ids": np.array([{}])}, "must be a .npz of plain arrays"),
    ],
)
def test_invalid_files_are_refused(
    changes: dict[str, object], reason: str, small_bag: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        FileTruth(write_npz(tmp_path / "truth.npz", small_bag, **changes), "/camera/image_raw")


def test_truth_topics_are_assigned_by_name(write_bag: WriteBag) -> None:
    with open_bag(write_bag("two", cameras=2)) as reader:
        names = [camera.image for camera in reader.cameras]
        assert find_truth_topics(reader, names, "") == {
            "/camera_0/image_raw": "/camera_0/ground_truth/people",
            "/camera_1/image_raw": "/camera_1/ground_truth/people",
        }
        with pytest.raises(SourceError, match="got '/nobody'; name one of these"):
            find_truth_topics(reader, names, "/nobody")
        with pytest.raises(SourceError, match="name one topic of the truth for each camera"):
            find_truth_topics(reader, names[:1], "")


def test_the_node_s_output_is_not_used_as_truth(small_bag: Path) -> None:
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


@pytest.mark.parametrize("kind", [np.uint64, np.int64, np.float64])
@pytest.mark.parametrize("shift_ns", [-1000, 0, 1000])
def test_timestamps_of_every_type_are_matched(
    small_bag: Path, tmp_path: Path, kind: type, shift_ns: int
) -> None:
    """Differences of unsigned integers wrap around below zero."""
    stamps = np.concatenate(
        [np.full(len(people), stamp + shift_ns) for stamp, people in truths_in(small_bag).items()]
    )
    path = write_npz(
        tmp_path / "truth.npz",
        small_bag,
        stamps_ns=stamps.astype(kind),
        labelled_ns=np.array([START_NS + 10**10], kind),
    )
    truth = FileTruth(path, "/camera/image_raw")
    assert all(truth.at(stamp) is not None for stamp in truths_in(small_bag))
    assert truth.at(START_NS + 10**10) is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stamps_ns": np.full(8, np.nan)}, "must hold stamps_ns as whole numbers"),
        ({"stamps_ns": np.full(8, 2**63, np.uint64)}, "must hold stamps_ns as whole numbers"),
        ({"stamps_ns": np.array(5)}, r"must hold stamps_ns of shape \(1,\).*got \(\)"),
        ({"ids": np.full(8, "somebody")}, "must hold ids as whole numbers"),
        ({"ids": np.full(8, 0.5)}, "must hold ids as whole numbers"),
        ({"pose": np.full((8, 72), "x")}, "must hold pose as numbers"),
        ({"betas": np.full((8, 10), 1j)}, "must hold betas as numbers"),
        ({"labelled_ns": np.array(5)}, r"must hold labelled_ns of shape \(1,\).*got \(\)"),
        ({"cameras": np.full(7, "/a")}, r"must hold cameras of shape \(8,\).*got \(7,\)"),
        ({"cameras": np.arange(8)}, "must hold cameras as text"),
        ({"vertices_m": np.zeros((8, 3))}, r"vertices_m of shape \(8, 6890, 3\).*got \(8, 3\)"),
    ],
)
def test_invalid_fields_are_refused(
    changes: dict[str, object], reason: str, small_bag: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        FileTruth(write_npz(tmp_path / "truth.npz", small_bag, **changes), "/camera/image_raw")


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"PK\x03\x04" + bytes(100), b"half"],
    ids=["empty", "text", "zip without end", "half"],
)
def test_broken_files_are_refused_in_one_sentence(
    content: bytes, small_bag: Path, tmp_path: Path
) -> None:
    path = write_npz(tmp_path / "truth.npz", small_bag)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content == b"half" else content)
    with pytest.raises(ValueError, match=r"must be a \.npz of plain arrays"):
        FileTruth(path, "/camera/image_raw")


def test_camera_names_may_be_bytes(small_bag: Path, tmp_path: Path) -> None:
    rows = sum(len(people) for people in truths_in(small_bag).values())
    path = write_npz(tmp_path / "truth.npz", small_bag, cameras=np.full(rows, b"/mine"))
    assert FileTruth(path, "/mine").at(START_NS) is not None


def test_rows_with_nan_are_unusable(small_bag: Path, tmp_path: Path) -> None:
    poses, betas = np.zeros((8, 72)), np.zeros((8, 10))
    poses[1, 5], betas[2, 0] = np.nan, 1e30
    truth = FileTruth(
        write_npz(tmp_path / "truth.npz", small_bag, pose=poses, betas=betas), "/camera/image_raw"
    )
    usable = np.concatenate(
        [usable_rows(truth.at(stamp)) for stamp in truths_in(small_bag)]  # type: ignore[arg-type]
    )
    assert np.flatnonzero(~usable).tolist() == [1, 2]
