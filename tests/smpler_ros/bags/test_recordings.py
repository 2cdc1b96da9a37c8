"""Bags as `smpler view` opens them: a node's, and evaluations with the truth of their input."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.people_topics import PEOPLE_TYPE
from smpler_model.bags.reader import BagReader, open_bag
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.cameras.messages import Message
from smpler_model.commands.recordings import holds_people, open_recording
from smpler_model.source import SourceError
from smpler_model.viewing.bag_recording import camera_of_people
from smpler_ros.bags.bag_run import Summary
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.message_types import MESSAGE_NAMES
from tests.random_people import random_people
from tests.smpler_ros.bags.test_ground_truth import truths_in

TRUTH, IMAGE = "/camera/ground_truth/people", "/camera/image_raw"


def copy_as_people(source: BagReader, path: Path) -> None:
    """Write a bag whose people are the truth of another, with its images and transforms."""
    with BagWriter(path) as writer:
        for each in source.read_messages(source.topics):
            message = each.message
            writer.write(each.topic, each.type, each.time_ns, message)
            if each.topic == TRUTH:
                writer.write("/camera/people", PEOPLE_TYPE, each.time_ns, message)


def test_a_bag_has_people_truth_image_and_place(small_bag: Path, tmp_path: Path) -> None:
    with open_bag(small_bag) as source:
        copy_as_people(source, tmp_path / "bag")
        [camera] = source.cameras
        frames = [frame for _, frame in source.read_frames([camera])]
    assert not holds_people(small_bag)
    assert holds_people(tmp_path / "bag")
    recording = open_recording(tmp_path / "bag")
    truths = truths_in(small_bag)
    assert len(recording) == len(frames) == len(truths)
    assert any(recording.moment(row, image=False).truth for row in range(len(recording)))
    for index, frame in enumerate(frames):
        moment = recording.moment(index)
        assert moment.stamp_ns == frame.stamp_ns
        assert moment.camera == frame.camera
        assert moment.rgb is not None
        assert np.abs(moment.rgb.astype(float) - frame.rgb).mean() < 8  # JPEG
        assert moment.truth is not None
        np.testing.assert_array_equal(moment.people.joints_m, moment.truth.joints_m)
        # The synthetic camera is a metre or two above the floor of `map`, and level.
        assert 0.5 < moment.world_from_camera[2, 3] < 3
        world = moment.people.joints_m @ moment.world_from_camera[:3, :3].T
        feet = (world + moment.world_from_camera[:3, 3])[..., 2].min(1)
        assert (abs(feet) < 0.3).all()


@pytest.mark.slow
def test_an_evaluation_is_shown_with_its_input(evaluation: tuple[Path, Summary]) -> None:
    folder, _ = evaluation
    assert holds_people(folder)
    recording = open_recording(folder)
    assert recording.title == folder.name
    assert any(recording.moment(row, image=False).truth for row in range(len(recording)))
    assert recording.moment(3).rgb is not None


def test_a_bag_without_people_is_refused(small_bag: Path) -> None:
    with pytest.raises(SourceError, match="must hold people"):
        open_recording(small_bag)


def test_the_focal_length_that_people_were_placed_with_is_found() -> None:
    assumed = camera_from_field_of_view(640, 480, 57.0)
    people = random_people(3)
    joints = people.joints_m + np.array([0, 0, 5])
    seen = type(people)(
        **vars(people) | {"joints_m": joints, "keypoints_px": assumed.project(joints)}
    )
    other = camera_from_field_of_view(640, 480, 90.0)
    assert camera_of_people(other, seen).fx == pytest.approx(assumed.fx)


def test_a_transform_holds_from_its_stamp_on_in_whatever_order(tmp_path: Path) -> None:
    """Recorded late, dated ahead, or next to one of another clock."""
    with BagWriter(tmp_path / "bag") as writer:
        types = writer.types

        def link(stamp_ns: int, child: str) -> Message:
            """Return a transform that tells its stamp by its height."""
            header = header_message(types, stamp_ns, "map")
            return transform_message(types, header, child, level_camera(stamp_ns / 10, 0.0))

        sent = [
            [link(10**18, "lamp"), link(40, "camera")],
            [link(10, "camera")],
            [link(30, "camera"), link(5, "person_1/pelvis")],
            [link(20, "camera"), link(10**18 + 1, "lamp")],
        ]
        for time_ns, links in enumerate(sent, start=1):
            message = types.tf_message(transforms=links)
            writer.write("/tf", MESSAGE_NAMES["tf_message"], time_ns, message)
        for time_ns, stamp_ns in enumerate((15, 25, 45, 35), start=100):
            header = header_message(types, stamp_ns, "camera")
            people = types.person_array(header=header, model="", people=[])
            writer.write("/people", PEOPLE_TYPE, time_ns, people)
    recording = open_recording(tmp_path / "bag")
    heights = [recording.moment(row).world_from_camera[2, 3] for row in range(len(recording))]
    assert heights == pytest.approx([1, 2, 4, 3])


def test_nobody_is_a_recording_too(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        header = header_message(writer.types, 1, "camera")
        message = writer.types.person_array(header=header, model="", people=[])
        writer.write("/people", PEOPLE_TYPE, 1, message)
    recording = open_recording(tmp_path / "bag")
    assert (len(recording), len(recording.people)) == (1, 0)
