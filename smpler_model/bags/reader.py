"""Images, calibrations and depth from bags: rosbag2 (sqlite3, mcap) and rosbag1, without ROS.

Truncated bags and bags without metadata.yaml are read as far as possible. Memory is bounded by a
few images, however large the bag is.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from smpler_model.bags.cameras import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    CameraTopics,
    find_cameras,
    find_depth,
    find_info,
    namespace_of,
)
from smpler_model.bags.files import is_bag, open_bag_files
from smpler_model.bags.messages import MessageDecoder, MessageError
from smpler_model.bags.missing_stamps import MissingStamps
from smpler_model.bags.stamp_order import Companions, StampedMessage, StampOrder, check_order
from smpler_model.bags.storage import BagFile, Definitions, Topic
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings
from smpler_model.cameras.messages import NS_PER_S, CameraInfos, Message
from smpler_model.frames import Frame
from smpler_model.notices import Notify
from smpler_model.settings.bag import WITHOUT
from smpler_model.source import SourceError

__all__ = ["BagMessage", "BagReader", "CameraTopics", "SourceError", "Topic", "is_bag", "open_bag"]

_RATE_IMAGES = 50

TopicReport = Callable[[str, str], None]
"""Called with a topic and the reason why a message was left out."""


@dataclass(frozen=True)
class BagMessage:
    """A message in a bag.

    Attributes:
        topic: topic of the message.
        type: message type as in ROS 2 (`sensor_msgs/msg/Image`).
        time_ns: when it was recorded.
        message: the deserialised message.
    """

    topic: str
    type: str
    time_ns: int
    message: Message


class BagReader:
    """An open bag; see `open_bag`.

    Attributes:
        path: path of the bag.
        topics: topics by name.
        start_ns: recording time of the first message, 0 in an empty bag.
        end_ns: recording time of the last message.
        damage: what is wrong with its files, as a sentence; None if they are intact.
        foreign: topics without ROS messages, and their encodings.
        cameras: colour cameras of the bag; raw images if both raw and compressed ones exist.
    """

    def __init__(self, path: Path, files: Sequence[BagFile]) -> None:
        self.path, self._files = path, files
        self.topics = _merge_topics(files)
        times = [(file.start_ns, file.end_ns) for file in files if file.end_ns]
        self.start_ns = min((start for start, _ in times), default=0)
        self.end_ns = max((end for _, end in times), default=0)
        self.damage = next((file.damage for file in files if file.damage), None)
        definitions: Definitions = {}
        self.foreign: dict[str, str] = {}
        for file in files:
            definitions = {**file.definitions, **definitions}
            self.foreign |= file.foreign
        self._decoder = MessageDecoder(definitions)
        self.cameras = find_cameras(self.topics, self.first_message)

    def choose_camera(self, image: str = "", info: str = "", depth: str = "") -> CameraTopics:
        """Return the topics to read.

        Args:
            image: topic of the images; if empty, the only one.
            info: topic of their CameraInfo; if empty, the one next to the images; `none` for none.
            depth: topic of aligned depth images; if empty, the one that matches the images in
                name, size and frame; `none` for none.

        Raises:
            SourceError: no such topic, or several to choose from.
        """
        camera = self._camera_of(image)
        found_info = self._find(info, "CameraInfo", (CAMERA_INFO,), camera.info)
        found_depth = self._find(depth, "depth image", (IMAGE, COMPRESSED), camera.depth)
        return replace(camera, info=found_info, depth=found_depth)

    def first_message(self, topic: str) -> Message | None:
        """Return the first readable message of a topic, None if there is none."""
        try:
            return next((each.message for each in self.read_messages([topic])), None)
        except SourceError:  # the file is truncated before the first message
            return None

    def read_messages(
        self,
        topics: Collection[str],
        start_ns: int | None = None,
        end_ns: int | None = None,
        report: TopicReport | None = None,
    ) -> Iterator[BagMessage]:
        """Yield messages in recording order.

        Args:
            topics: names of the topics.
            start_ns: first recording time; None for the start of the bag.
            end_ns: recording time to stop before; None for the end of the bag.
            report: called for messages that are left out because they are unreadable.

        Raises:
            SourceError: the bag is truncated; all messages before were yielded.
        """
        broken: SourceError | None = None
        for file in self._files:
            try:
                for raw in file.messages(topics, start_ns, end_ns):
                    if raw.type != self.topics[raw.topic].type:
                        if report:
                            report(raw.topic, _two_types(self.topics[raw.topic], raw.type))
                        continue
                    try:
                        message = self._decoder.decode(raw)
                    except MessageError as error:
                        if report:
                            report(raw.topic, str(error))
                        continue
                    yield BagMessage(raw.topic, raw.type, raw.time_ns, message)
            except SourceError as error:  # the other files may be intact
                broken = broken or error
        if broken:
            raise broken

    def rate_hz(self, camera: CameraTopics) -> float | None:
        """Return a camera's rate, images per second; None if there are too few images.

        It is the median over the first images, so that gaps in the recording do not count.
        """
        stamps_ns: list[int] = []
        with suppress(SourceError):  # the file is truncated
            for each in self._stamped([camera.image], lambda _topic, _reason: None):
                stamps_ns.append(each.stamp_ns)
                if len(stamps_ns) == _RATE_IMAGES:
                    break
        stamps_ns.sort()  # the order in which frames are yielded
        steps_ns = [after - before for before, after in pairwise(stamps_ns) if after > before]
        return NS_PER_S / median(steps_ns) if steps_ns else None

    def read_frames(
        self,
        cameras: Sequence[CameraTopics],
        report: TopicReport | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        note: TopicReport | None = None,
    ) -> Iterator[tuple[str, Frame]]:
        """Yield image topic and frame in the order of the images' timestamps.

        The calibration is the last one before the image that fits its size, or the first of the
        bag. Depth is the image with the nearest timestamp. Images that come too late to be sorted,
        or repeat the last timestamp, are left out; for missing timestamps see `missing_stamps`.

        Args:
            cameras: cameras to read.
            report: called with each message left out and the reason.
            start_ns: first recording time; None for the start of the bag.
            end_ns: recording time to stop before; None for the end of the bag.
            note: called with warnings about a camera's images or the bag, each once.

        Raises:
            SourceError: the bag is truncated, or no image can be read; all frames before were
                yielded.
        """
        if note and self.foreign:
            named = ", ".join(f"{topic} ({kind})" for topic, kind in self.foreign.items())
            note(self.path.name, f"topics without ROS messages are ignored: {named}")
        topics = _topics_of(cameras)
        order = StampOrder(len(topics), last=[each.image for each in cameras])
        readers = [
            _CameraReader(
                each, order, self.first_message, partial(note, each.image) if note else None
            )
            for each in cameras
        ]
        given = 0
        reasons: list[str] = []

        def leave_out(topic: str, reason: str) -> None:
            if not reasons:
                reasons.append(reason)
            if report:
                report(topic, reason)

        stamped = self._stamped(topics, leave_out, start_ns, end_ns)
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
            why = f"the first: {reasons[0]}" if reasons else "none in this time range"
            raise SourceError(f"{self.path} must hold readable images on {names}; {why}")

    def _stamped(
        self,
        topics: Collection[str],
        report: TopicReport,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Iterator[StampedMessage]:
        """Yield messages with their timestamps; see `read_messages`."""
        stamps = MissingStamps(topics, self._read_whole)
        for each in self.read_messages(topics, start_ns, end_ns, report):
            try:
                yield stamps.stamp(each)
            except ValueError as error:
                report(each.topic, str(error))

    def _read_whole(self, topic: str) -> Iterator[BagMessage]:
        with suppress(SourceError):  # reported when the frames are read
            yield from self.read_messages([topic])

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
                "name one of these topics"
            )
        if len(self.cameras) != 1:
            named = {topic.name: topic.type for topic in self.topics.values()} | self.foreign
            kinds = ", ".join(f"{name} ({kind})" for name, kind in named.items())
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
                f"({' or '.join(types)}), got '{wanted}'; name one of these topics, or {WITHOUT}"
            )
        return wanted or found


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a bag; it is closed on leaving the context.

    Args:
        path: folder of a rosbag2, with or without metadata.yaml, one .mcap or .db3 file of it, or
            a ROS 1 .bag; files may be compressed with zstd.

    Raises:
        SourceError: there is no bag, or nothing of it can be read.
    """
    with ExitStack() as stack:
        yield BagReader(Path(path), open_bag_files(Path(path), stack))


class _CameraReader:
    """Combines image, calibration and depth of one camera."""

    def __init__(
        self,
        topics: CameraTopics,
        order: StampOrder,
        first_message: Callable[[str], Message | None],
        say: Notify | None,
    ) -> None:
        self.topics = topics
        self._infos = CameraInfos()
        first = first_message(topics.info) if topics.info else None
        if first is not None:
            self._infos.add(first)
        settings = ImageSettings(rectified=topics.rectified, yuv422=topics.yuv422)
        self._reader = FrameReader(settings, say, name=namespace_of(topics.image))
        self._depths = Companions(
            topics.depth or "", topics.image, topics.depth_tolerance_ns, order
        )
        self._last_ns: int | None = None

    def take(self, stamped: StampedMessage) -> Frame | None:
        """Return a frame if the message is an image of this camera.

        Raises:
            ValueError: the image is unusable.
        """
        if stamped.topic == self.topics.info:
            self._infos.add(stamped.message)
        self._depths.add(stamped)
        if stamped.topic != self.topics.image:
            return None
        check_order(stamped.stamp_ns, self._last_ns)
        self._last_ns = stamped.stamp_ns
        depth = self._depths.nearest(stamped.stamp_ns) if self.topics.depth else None
        frame = self._reader.read(stamped.message, self._infos.all(), depth)
        return replace(frame, stamp_ns=stamped.stamp_ns, recorded_ns=stamped.time_ns)


def _topics_of(cameras: Sequence[CameraTopics]) -> list[str]:
    """Return the topics of cameras, image topics first."""
    names = [each.image for each in cameras]
    names += [name for each in cameras for name in (each.info, each.depth) if name]
    return list(dict.fromkeys(names))


def _two_types(topic: Topic, other: str) -> str:
    return (
        f"messages of a topic must have one type, got a {other} among those of {topic.type}; it "
        "is left out"
    )


def _merge_topics(files: Sequence[BagFile]) -> Mapping[str, Topic]:
    merged: dict[str, Topic] = {}
    for file in files:
        for name, topic in file.topics.items():
            before = merged[name].count if name in merged else 0
            merged[name] = Topic(name, topic.type, before + topic.count)
    return dict(sorted(merged.items()))
