"""Images, calibration and depth from bags: rosbag2 (sqlite3, mcap) and rosbag1, without ROS.

Bags that have lost their end, or their metadata.yaml, are read as far as they go. Memory is that
of a few images, however large the bag is.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from smpler_model.bags.cameras import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    WITHOUT,
    CameraTopics,
    find_cameras,
    find_depth,
    find_info,
)
from smpler_model.bags.files import BagFile, Topic, is_bag, is_rosbag1, open_bag_files
from smpler_model.bags.messages import MessageDecoder, MessageError
from smpler_model.bags.recovery import Definition
from smpler_model.bags.stamp_order import Companions, StampedMessage, StampOrder, check_order
from smpler_model.cameras.messages import Message, frame_from_messages, stamp_ns_of
from smpler_model.frames import Frame
from smpler_model.source import SourceError

__all__ = ["BagMessage", "BagReader", "CameraTopics", "SourceError", "Topic", "is_bag", "open_bag"]

TopicReport = Callable[[str, str], None]
"""Gets a topic and a sentence about a message that was left out."""


@dataclass(frozen=True)
class BagMessage:
    """A message in a bag.

    Attributes:
        topic: that it was sent on.
        type: as in ROS 2 (`sensor_msgs/msg/Image`).
        time_ns: when it was recorded.
        message: deserialised.
    """

    topic: str
    type: str
    time_ns: int
    message: Message


class BagReader:
    """A bag that is open; see `open_bag`.

    Attributes:
        path: of the bag.
        topics: by name.
        start_ns: recording time of the first message, 0 in an empty bag.
        end_ns: recording time of the last message.
        damage: what is wrong with its files, in a sentence; None for whole ones.
        cameras: colour images in the bag; where raw and compressed ones were recorded, the raw.
    """

    def __init__(self, path: Path, files: Sequence[BagFile]) -> None:
        self.path, self._files = path, files
        self.topics = _merge_topics(files)
        times = [(file.start_ns, file.end_ns) for file in files if file.topics]
        self.start_ns = min((start for start, _ in times), default=0)
        self.end_ns = max((end for _, end in times), default=0)
        self.damage = next((file.damage for file in files if file.damage), None)
        definitions: dict[str, Definition] = {}
        for file in files:
            definitions |= file.definitions
        self._decoder = MessageDecoder(definitions, is_ros1=is_rosbag1(path))
        self.cameras = find_cameras(self.topics, self.first_message)

    def choose_camera(self, image: str = "", info: str = "", depth: str = "") -> CameraTopics:
        """Return the topics to read.

        Args:
            image: topic of the images; if empty, the only one.
            info: topic of their CameraInfo; if empty, the one beside the images; `none` for none.
            depth: topic of aligned depth images; if empty, the one that belongs to the images by
                its name and size; `none` for none.

        Raises:
            SourceError: no such topic, or several to choose from.
        """
        camera = self._camera_of(image)
        found_info = self._find(info, "CameraInfo", (CAMERA_INFO,), camera.info)
        found_depth = self._find(depth, "depth image", (IMAGE, COMPRESSED), camera.depth)
        return replace(camera, info=found_info, depth=found_depth)

    def first_message(self, topic: str) -> Message | None:
        """Return the first message of a topic that can be read, None where there is none."""
        try:
            return next((each.message for each in self.read_messages([topic])), None)
        except SourceError:  # the file breaks off before one comes
            return None

    def read_messages(
        self,
        topics: Collection[str],
        start_ns: int | None = None,
        end_ns: int | None = None,
        report: TopicReport | None = None,
    ) -> Iterator[BagMessage]:
        """Give messages in recording order.

        Args:
            topics: their names.
            start_ns: the first recording time; None for the bag's.
            end_ns: the recording time to stop before; None for the bag's end.
            report: gets what is left out because it cannot be read.

        Raises:
            SourceError: the bag breaks off; all before was given.
        """
        broken: SourceError | None = None
        for file in self._files:
            try:
                for raw in file.messages(topics, start_ns, end_ns):
                    try:
                        message = self._decoder.decode(raw)
                    except MessageError as error:
                        if report:
                            report(raw.topic, str(error))
                        continue
                    yield BagMessage(raw.topic, raw.type, raw.time_ns, message)
            except SourceError as error:  # the other files may be whole
                broken = broken or error
        if broken:
            raise broken

    def read_frames(
        self,
        cameras: Sequence[CameraTopics],
        report: TopicReport | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Iterator[tuple[str, Frame]]:
        """Give image topic and frame in the order of the images' stamps.

        The calibration is the last before the image, or the first of the bag. Depth is that of the
        nearest stamp. Images that come much too late to be put in order, or again with the stamp
        of the last, are left out; where a stamp is missing, the recording time takes its place.

        Args:
            cameras: to read.
            report: gets what is left out and why.
            start_ns: the first recording time; None for the bag's.
            end_ns: the recording time to stop before; None for the bag's end.

        Raises:
            SourceError: the bag breaks off, or no image can be read; all before was given.
        """
        topics = {name for each in cameras for name in (each.image, each.info, each.depth) if name}
        order = StampOrder(len(topics), last=[each.image for each in cameras])
        readers = [_CameraReader(each, order, self.first_message) for each in cameras]
        given = 0
        reasons: list[str] = []

        def leave_out(topic: str, reason: str) -> None:
            if not reasons:
                reasons.append(reason)
            if report:
                report(topic, reason)

        stamped = _stamp(self.read_messages(topics, start_ns, end_ns, leave_out))
        for message in order.sort(stamped):
            for reader in readers:
                try:
                    frame = reader.take(message)
                except ValueError as error:
                    leave_out(message.topic, str(error))
                    continue
                if frame is not None:
                    given += 1
                    yield reader.topics.image, frame
        if not given:
            names = ", ".join(each.image for each in cameras)
            why = f"the first: {reasons[0]}" if reasons else "none in this time"
            raise SourceError(f"{self.path} must hold images that can be read on {names}; {why}")

    def _camera_of(self, image: str) -> CameraTopics:
        names = [camera.image for camera in self.cameras]
        listed = ", ".join(names) or "none"
        if image:
            for camera in self.cameras:
                if camera.image == image:
                    return camera
            if image in self.topics and self.topics[image].type in (IMAGE, COMPRESSED):
                info, rectified = find_info(image, self.topics, alone=not self.cameras)
                depth = find_depth(image, self.topics, self.first_message)
                topic = self.topics[image]
                return CameraTopics(image, topic.type, topic.count, info, depth, rectified)
            raise SourceError(
                f"the image topic must be one of {self.path}, which has {listed}, got '{image}'; "
                "choose one of them"
            )
        if len(self.cameras) != 1:
            kinds = ", ".join(f"{topic.name} ({topic.type})" for topic in self.topics.values())
            has = listed if names else f"none among {kinds or 'no topics at all'}"
            raise SourceError(
                f"{self.path} must have one topic of colour images unless one is named, got "
                f"{has}; name the image topic"
            )
        return self.cameras[0]

    def _find(
        self, wanted: str, kind: str, types: tuple[str, ...], found: str | None
    ) -> str | None:
        if wanted == WITHOUT:
            return None
        fitting = [name for name, topic in self.topics.items() if topic.type in types]
        if wanted and wanted not in fitting:
            raise SourceError(
                f"the {kind} topic must be one of {', '.join(fitting) or 'none'} "
                f"({' or '.join(types)}), got '{wanted}'; choose one of them, or {WITHOUT}"
            )
        return wanted or found


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a bag, and close it in the end.

    Args:
        path: folder of a rosbag2, also without its metadata.yaml, one .mcap or .db3 file of it,
            or a ROS 1 .bag.

    Raises:
        SourceError: there is no bag, or one of which nothing can be read.
    """
    files = open_bag_files(Path(path))
    with ExitStack() as stack:
        for file in files:
            stack.callback(file.close)
        yield BagReader(Path(path), files)


class _CameraReader:
    """Puts image, calibration and depth of one camera together."""

    def __init__(
        self,
        topics: CameraTopics,
        order: StampOrder,
        first_message: Callable[[str], Message | None],
    ) -> None:
        self.topics = topics
        self._info = first_message(topics.info) if topics.info else None
        self._depths = Companions(
            topics.depth or "", topics.image, topics.depth_tolerance_ns, order
        )
        self._last_ns: int | None = None

    def take(self, stamped: StampedMessage) -> Frame | None:
        """Return a frame where the message is this camera's image.

        Raises:
            ValueError: a frame that cannot be made of it.
        """
        if stamped.topic == self.topics.info:
            self._info = stamped.message
        self._depths.add(stamped)
        if stamped.topic != self.topics.image:
            return None
        check_order(stamped.stamp_ns, self._last_ns)
        self._last_ns = stamped.stamp_ns
        depth = self._depths.nearest(stamped.stamp_ns) if self.topics.depth else None
        frame = frame_from_messages(
            stamped.message, self._info, depth, rectified=self.topics.rectified
        )
        return replace(frame, stamp_ns=stamped.stamp_ns)


def _stamp(messages: Iterator[BagMessage]) -> Iterator[StampedMessage]:
    for each in messages:
        yield StampedMessage(each.topic, stamp_ns_of(each.message) or each.time_ns, each.message)


def _merge_topics(files: Sequence[BagFile]) -> Mapping[str, Topic]:
    merged: dict[str, Topic] = {}
    for file in files:
        for name, topic in file.topics.items():
            before = merged[name].count if name in merged else 0
            merged[name] = Topic(name, topic.type, before + topic.count)
    return dict(sorted(merged.items()))
