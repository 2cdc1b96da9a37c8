"""The inputs of an evaluation: a bag's cameras and their ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from smpler_model.bags.cameras import with_settings
from smpler_model.bags.people_topics import find_truth_topics
from smpler_model.bags.reader import BagReader, CameraTopics, SourceError, open_bag
from smpler_model.settings.bag import WITHOUT
from smpler_ros.bags.ground_truth import (
    TopicTruth,
    Truth,
    read_file_truths,
)
from smpler_ros.bags.settings import EvaluationSettings

_FILE_SUFFIX = ".npz"


@dataclass(frozen=True)
class Input:
    """An open bag.

    Attributes:
        reader: reader of the bag.
        cameras: cameras to evaluate.
        truths: ground truth by image topic, for cameras that have it.
        truth_names: topics or file of the ground truth, by image topic.
    """

    reader: BagReader
    cameras: tuple[CameraTopics, ...]
    truths: Mapping[str, Truth]
    truth_names: Mapping[str, str]

    @property
    def image_count(self) -> int:
        """Number of images of all cameras."""
        return sum(camera.count for camera in self.cameras)


def choose_input(reader: BagReader, config: EvaluationSettings) -> Input:
    """Select cameras and ground truth.

    Raises:
        SourceError: the bag has no such topics.
        ValueError: an invalid ground-truth file.
        OSError: a file that cannot be read.
    """
    cameras = tuple(with_settings(camera, config) for camera in _choose_cameras(reader, config))
    names = [camera.image for camera in cameras]
    truths: dict[str, Truth] = {}
    if config.truth == WITHOUT:
        found = {}
    elif config.truth.endswith(_FILE_SUFFIX):
        found = dict.fromkeys(names, config.truth)
        truths = read_file_truths(Path(config.truth), names, reader.topics)
    else:
        found = find_truth_topics(reader, names, config.truth)
        truths = {name: TopicTruth(reader, topic) for name, topic in found.items()}
    if config.boxes == "truth" and len(truths) < len(names):
        missing = next(name for name in names if name not in truths)
        raise SourceError(
            f"boxes can be taken from the truth only where there is one, got none for {missing}; "
            "choose --boxes detector"
        )
    return Input(reader, cameras, truths, found)


def count_cameras(bag: Path, config: EvaluationSettings) -> int:
    """Return how many cameras of a bag are evaluated.

    Raises:
        SourceError: it cannot be read, or has no such topics.
        OSError: the same of its files.
    """
    with open_bag(bag) as reader:
        return len(_choose_cameras(reader, config))


def _choose_cameras(reader: BagReader, config: EvaluationSettings) -> tuple[CameraTopics, ...]:
    if config.image_topic:
        if len(set(config.image_topic)) < len(config.image_topic):
            raise SourceError(
                f"image topics must be named once each, got {', '.join(config.image_topic)}; "
                "leave out the repeated ones"
            )
        if len(config.image_topic) > 1 and (config.info_topic or config.depth_topic):
            raise SourceError(
                "CameraInfo and depth topics can be named for one camera only, got "
                f"{len(config.image_topic)} cameras; evaluate them one by one"
            )
        return tuple(
            reader.choose_camera(image, config.info_topic, config.depth_topic)
            for image in config.image_topic
        )
    if len(reader.cameras) > 1 and not config.info_topic and not config.depth_topic:
        return reader.cameras
    return (reader.choose_camera("", config.info_topic, config.depth_topic),)
