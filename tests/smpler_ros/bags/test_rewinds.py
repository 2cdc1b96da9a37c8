"""Recordings whose clock was set back: each pass has its own ground truth."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.people_topics import PEOPLE_TYPE
from smpler_model.bags.reader import open_bag
from smpler_model.body.smpl import Body
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.frames import FrameResult
from smpler_ros.bags.bag_run import evaluate_bag
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.ground_truth import TopicTruth
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.messages.convert import header_message, person_array_message
from smpler_ros.messages.images import image_message
from smpler_ros.messages.message_types import MESSAGE_NAMES
from tests.random_people import CAMERA
from tests.smpler_ros.bags.test_accuracy import people_of
from tests.smpler_ros.bags.test_evaluation import stop_after

TOPIC = "/camera/ground_truth/people"
STEP_NS = 500_000_000
TF = MESSAGE_NAMES["tf_message"]


def write_passes(path: Path, passes: Sequence[Sequence[int]], body: Body, *, images: bool) -> Path:
    """Write ground truth at these steps of each pass; a person's id is the number of the pass."""
    people = people_of(body, 1)
    with BagWriter(path) as writer:
        types, recorded_ns = writer.types, 0
        for number, steps in enumerate(passes):
            for step in steps:
                recorded_ns += STEP_NS
                header = header_message(types, step * STEP_NS, "camera")
                truth = replace(people, ids=np.array([number]))
                result = FrameResult(step * STEP_NS, "camera", CAMERA, truth)
                message = person_array_message(types, header, "", result, vertices=False)
                writer.write(TOPIC, PEOPLE_TYPE, recorded_ns, message)
                if images:
                    image = image_message(types, header, np.full((240, 320, 3), 90, np.uint8))
                    kind = "sensor_msgs/msg/Image"
                    writer.write("/camera/image_raw", kind, recorded_ns, image)
                    later_ns = STEP_NS // 2
                    sent = header_message(types, step * STEP_NS + later_ns, "map")
                    frame = types.transform_stamped(header=sent, child_frame_id="camera")
                    moving = types.tf_message(transforms=[frame])
                    writer.write(
                        "/tf", MESSAGE_NAMES["tf_message"], recorded_ns + later_ns, moving
                    )
    return path


@pytest.mark.parametrize("length", [20, 12], ids=["all", "a pass that the images leave early"])
def test_images_of_a_pass_are_matched_with_its_truth(
    length: int, body: Body, tmp_path: Path
) -> None:
    steps = range(1, 21)
    with open_bag(write_passes(tmp_path / "bag", [steps] * 3, body, images=False)) as reader:
        truth = TopicTruth(reader, TOPIC)
        found = [
            [
                people.ids.tolist()
                for step in steps[:length]
                if (people := truth.at(step * STEP_NS))
            ]
            for _ in range(3)
        ]
    assert found == [[[number]] * length for number in range(3)]


def test_truth_of_a_later_pass_is_not_used(body: Body, tmp_path: Path) -> None:
    bag = write_passes(tmp_path / "bag", [range(1, 12), range(1, 21)], body, images=False)
    with open_bag(bag) as reader:
        truth = TopicTruth(reader, TOPIC)
        first = [truth.at(step * STEP_NS) is not None for step in range(1, 21)]
    assert first == [True] * 11 + [False] * 9


@pytest.mark.slow
def test_transforms_of_all_passes_are_copied(
    config: EvaluationSettings, engine: Engine, body: Body, tmp_path: Path
) -> None:
    bag = write_passes(tmp_path / "bag", [range(1, 6)] * 3, body, images=True)
    evaluate_bag(bag, tmp_path / "out", replace(config, outputs=("people",)), engine)
    with open_bag(tmp_path / "out" / "bag") as reader:
        assert reader.topics["/tf"].count == 15
        for each in reader.read_messages(["/tf"]):
            [sent] = each.message.transforms
            assert abs(each.time_ns - stamp_ns_of(sent)) <= STEP_NS // 2  # its pass's time


@pytest.mark.slow
def test_a_run_resumes_within_its_pass(
    config: EvaluationSettings, engine: Engine, body: Body, tmp_path: Path
) -> None:
    bag = write_passes(tmp_path / "bag", [range(1, 6)] * 2, body, images=True)
    config = replace(config, outputs=())
    folder = tmp_path / "out"
    part = evaluate_bag(bag, folder, config, engine, should_stop=stop_after(7))
    assert part["frames"] == 7
    summary = evaluate_bag(bag, folder, config, engine, resume=True)
    assert summary["frames"] == summary["accuracy"]["all"]["pairs"] == 10
    with (folder / "people.csv").open() as file:
        found = [row["true_id"] for row in csv.DictReader(file)]
    assert found == ["0"] * 5 + ["1"] * 5
