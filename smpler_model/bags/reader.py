"""Images, calibration and depth from bags: rosbag2 (sqlite3, mcap) and rosbag1, without ROS.

Bags that have lost their end, or their metadata.yaml, are read as far as they go. Memory is that
of a few images, however large the bag is.
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
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings, Say
from smpler_model.cameras.messages import NS_PER_S, CameraInfos, Message
from smpler_model.frames import Frame
from smpler_model.settings.bag import WITHOUT
from smpler_model.source import SourceError

__all__ = ["BagMessage", "BagReader", "CameraTopics", "SourceError", "Topic", "is_bag", "open_bag"]

_RATE_IMAGES = 50

TopicReport = Callable[[str, str], None]
"""Gets a topic and a sentence about a message that was left out."""


@dataclass(frozen=True)
class BagMessage:
    """A message in a bag.

    Attributes:
        topic: topic of the message.
        type: message type as in ROS 2 (`sensor_msgs/msg/Image`).
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
        path: path of the bag.
        topics: topics by name.
        start_ns: recording time of the first message, 0 in an empty bag.
        end_ns: recording time of the last message.
        damage: what is wrong with its files, in a sentence; None for whole ones.
        foreign: what holds no messages of ROS: names of topics, and how they are encoded.
        cameras: colour images in the bag; where raw and compressed ones were recorded, the raw.
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
            except SourceError as error:  # the other files may be whole
                broken = broken or error
        if broken:
            raise broken

    def rate_hz(self, camera: CameraTopics) -> float | None:
        """Return how many images a second a camera takes, None where too few tell.

        It is the median of the first, so that gaps in the recording do not count.
        """
        stamps_ns: list[int] = []
        with suppress(SourceError):  # the file breaks off
            for each in self._stamped([camera.image], lambda _topic, _reason: None):
                stamps_ns.append(each.stamp_ns)
                if len(stamps_ns) == _RATE_IMAGES:
                    break
        stamps_ns.sort()  # as they are read in the end
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
        """Give image topic and frame in the order of the images' stamps.

        The calibration is the last before the image that fits its size, or the first of the bag.
        Depth is that of the
        nearest stamp. Images that come much too late to be put in order, or again with the stamp
        of the last, are left out; where a stamp is missing, see `missing_stamps`.

        Args:
            cameras: to read.
            report: gets what is left out and why.
            start_ns: the first recording time; None for the bag's.
            end_ns: the recording time to stop before; None for the bag's end.
            note: gets what is doubtful of a camera's images or of the bag, once.

        Raises:
            SourceError: the bag breaks off, or no image can be read; all before was given.
        """
        if note and self.foreign:
            named = ", ".join(f"{topic} ({kind})" for topic, kind in self.foreign.items())
            note(self.path.name, f"topics without messages of ROS are left out: {named}")
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
            why = f"the first: {reasons[0]}" if reasons else "none in this time"
            raise SourceError(f"{self.path} must hold images that can be read on {names}; {why}")

    def _stamped(
        self,
        topics: Collection[str],
        report: TopicReport,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Iterator[StampedMessage]:
        """Give messages with their stamps; see `read_messages`."""
        stamps = MissingStamps(topics, self._read_whole)
        for each in self.read_messages(topics, start_ns, end_ns, report):
            try:
                yield stamps.stamp(each)
            except ValueError as error:
                report(each.topic, str(error))

    def _read_whole(self, topic: str) -> Iterator[BagMessage]:
        with suppress(SourceError):  # what is wrong is said when the frames are read
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
                "choose one of them"
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
                f"({' or '.join(types)}), got '{wanted}'; choose one of them, or {WITHOUT}"
            )
        return wanted or found


@contextmanager
def open_bag(path: str | Path) -> Iterator[BagReader]:
    """Open a bag, and close it in the end.

    Args:
        path: folder of a rosbag2, also without its metadata.yaml, one .mcap or .db3 file of it,
            or a ROS 1 .bag; files may be compressed by zstd.

    Raises:
        SourceError: there is no bag, or one of which nothing can be read.
    """
    with ExitStack() as stack:
        yield BagReader(Path(path), open_bag_files(Path(path), stack))


class _CameraReader:
    """Puts image, calibration and depth of one camera together."""

    def __init__(
        self,
        topics: CameraTopics,
        order: StampOrder,
        first_message: Callable[[str], Message | None],
        say: Say | None,
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
        """Return a frame where the message is this camera's image.

        Raises:
            ValueError: a frame that cannot be made of it.
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
        return replace(frame, stamp_ns=stamped.stamp_ns)


def _topics_of(cameras: Sequence[CameraTopics]) -> list[str]:
    """Return the topics of cameras, those of images first."""
    names = [each.image for each in cameras]
    names += [name for each in cameras for name in (each.info, each.depth) if name]
    return list(dict.fromkeys(names))


def _two_types(topic: Topic, other: str) -> str:
    return (
        f"messages of a topic must be of one type, got a {other} among those of {topic.type}; it "
        "is left out"
    )


def _merge_topics(files: Sequence[BagFile]) -> Mapping[str, Topic]:
    merged: dict[str, Topic] = {}
    for file in files:
        for name, topic in file.topics.items():
            before = merged[name].count if name in merged else 0
            merged[name] = Topic(name, topic.type, before + topic.count)
    return dict(sorted(merged.items()))
