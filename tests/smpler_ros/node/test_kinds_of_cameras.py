"""For each kind of camera, the live node, a bag and `run` give the same frames and warnings."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.reader import open_bag
from smpler_model.cameras.frame_reader import ImageSettings
from smpler_model.cameras.messages import CameraInfos, Message
from smpler_model.detectors.detector import GivenBoxes
from smpler_model.frames import Frame
from smpler_model.inference.estimator import Estimator
from smpler_model.network.smpler import Smpler
from smpler_model.pipeline import Pipeline
from smpler_model.sources import open_source
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.node.frame_worker import FrameWorker
from smpler_ros.node.statistics import Statistics
from tests.bag_writer import START_NS, STEP_NS, Messages, Sent, picture, write_bag

COUNT = 10
IMAGE, INFO, DEPTH = "/cam/image_raw", "/cam/camera_info", "/cam/aligned_depth/image_raw"

make = Messages()
Trio = tuple[Message, Message, Message | None]


def moment(
    index: int,
    image: np.ndarray | None = None,
    encoding: str = "rgb8",
    depth: np.ndarray | None = None,
) -> Trio:
    """Return an image with calibration and depth."""
    stamp = START_NS + index * STEP_NS
    pixels = picture(index) if image is None else image
    info = make.info(stamp, size=(pixels.shape[1], pixels.shape[0]))
    return (
        make.image(stamp, pixels, encoding),
        info,
        None if depth is None else make.image(stamp, depth, "16UC1"),
    )


def lens(name: str, coefficients: Sequence[float]) -> Callable[[int], Trio]:
    def make_trio(index: int) -> Trio:
        image, info, depth = moment(index)
        info.distortion_model, info.d = name, np.array(coefficients, np.float64)
        return image, info, depth

    return make_trio


def only_p(index: int) -> Trio:
    image, info, depth = moment(index)
    info.k = np.zeros(9)
    return image, info, depth


def binned(index: int) -> Trio:
    image, info, depth = moment(index)
    info.width, info.height, info.binning_x, info.binning_y = 128, 96, 4, 4
    return image, info, depth


def two_sizes(index: int) -> Trio:
    return moment(index, picture(index)[::2, ::2] if index % 2 else None)


def wide_rows(index: int) -> Trio:
    image, info, depth = moment(index)
    image.data = np.pad(image.data.reshape(24, 96), ((0, 0), (0, 18))).ravel()
    return image, info, depth


def thermal(index: int) -> Trio:
    values = np.tile(np.linspace(7000, 8200 + index, 32).astype(np.uint16), (24, 1))
    return moment(index, values, "mono16")


def small_depth(index: int) -> Trio:
    shape = (12, 16) if index == 5 else (24, 32)
    return moment(index, depth=np.full(shape, 1500, np.uint16))


def yuv(index: int) -> Trio:
    values = np.tile(np.array([141, 103, 141, 180], np.uint8), (24, 16)).reshape(24, 32, 2)
    return moment(index, values, "yuv422")


def framed(name: str) -> Callable[[int], Trio]:
    def make_trio(index: int) -> Trio:
        image, info, depth = moment(index)
        image.header.frame_id = name
        return image, info, depth

    return make_trio


KINDS: dict[str, tuple[Callable[[int], Trio], list[str]]] = {
    "plumb_bob of 8": (lens("plumb_bob", [-0.2, 0.05, 0, 0, 0.01, 0, 0, 0]), []),
    "plumb_bob of 8, rational": (
        lens("plumb_bob", [-0.2, 0.05, 0, 0, 0.01, 0.1, 0, 0]),
        ["is interpreted as rational_polynomial"],
    ),
    "fisheye": (lens("fisheye", [-0.01, 0.02, 0, 0]), []),
    "radtan": (lens("radtan", [-0.2, 0.05, 0, 0]), []),
    "unknown lens": (lens("omni", [1.2, 0.1]), ["'omni' with 2 coefficients is none of"]),
    "K zero, P filled": (only_p, []),
    "K of the binned image": (binned, ["binning 4x4"]),
    "two sizes on one topic": (two_sizes, []),
    "rows further apart": (wide_rows, ["114 bytes per row but step 96"]),
    "thermal": (thermal, []),
    "depth of another size in between": (small_depth, ["depth is not used"]),
    "yuv422": (yuv, ["set yuv422 to yuyv"]),
    "frame with a slash": (framed("/optical"), ["must not begin with a slash"]),
    "no frame": (framed(""), ["empty frame_id"]),
}


@pytest.fixture(scope="module")
def estimator(nano: Smpler) -> Estimator:
    return Estimator(nano, backend="plain")


def read_live(estimator: Estimator, trios: Sequence[Trio]) -> tuple[list[Frame], list[str]]:
    said: list[str] = []
    statistics = Statistics()
    statistics.add_camera("cam")
    worker = FrameWorker(
        Pipeline(estimator, GivenBoxes),
        statistics,
        lambda _, sentence: said.append(sentence),
        images=ImageSettings(),
        person_labels=("person",),
    )
    infos = CameraInfos()
    frames = []
    for image, info, depth in trios:
        infos.add(info)
        done = worker.process({"cam": Arrival(image, infos.all(), depth)}, mesh=())
        frames += [frame for frame, _ in done.values()]
    return frames, said


def read_bag(path: Path) -> tuple[list[Frame], list[str]]:
    said: list[str] = []

    def hear(_: str, sentence: str) -> None:
        said.append(sentence)

    with open_bag(path) as bag:
        frames = [frame for _, frame in bag.read_frames(bag.cameras, hear, note=hear)]
    return frames, said


def read_source(path: Path) -> tuple[list[Frame], list[str]]:
    said: list[str] = []
    with open_source(str(path), report=said.append) as source:
        frames = list(source.frames)
    return frames, [sentence.removeprefix(f"{IMAGE}: ") for sentence in said]


@pytest.mark.parametrize("kind", KINDS)
def test_ten_images_of_every_kind(kind: str, estimator: Estimator, tmp_path: Path) -> None:
    make_trio, words = KINDS[kind]
    trios = [make_trio(index) for index in range(COUNT)]
    sent = [
        Sent(topic, message, START_NS + index * STEP_NS)
        for index, (image, info, depth) in enumerate(trios)
        for topic, message in ((INFO, info), (DEPTH, depth), (IMAGE, image))
        if message is not None
    ]
    path = write_bag(tmp_path, sent)
    frames, said = read_live(estimator, trios)
    assert [frame.stamp_ns for frame in frames] == [
        START_NS + index * STEP_NS for index in range(COUNT)
    ]
    assert len(said) == len(words)
    for sentence, part in zip(said, words, strict=True):
        assert part in sentence
    for others, heard in (read_bag(path), read_source(path)):
        assert heard == said
        for ours, theirs in zip(frames, others, strict=True):
            np.testing.assert_array_equal(ours.rgb, theirs.rgb)
            np.testing.assert_array_equal(ours.depth_m, theirs.depth_m)
            assert ours.camera == theirs.camera
            assert (ours.stamp_ns, ours.frame_id) == (theirs.stamp_ns, theirs.frame_id)
