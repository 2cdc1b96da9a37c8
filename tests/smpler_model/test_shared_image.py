"""One upload for detector and crops, on the CPU in the place of a GPU."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model import shared_image
from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.detectors.detector import Detections, Detector, DeviceDetector, detections_from
from smpler_model.frames import Frame, FrameResult
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.inference.estimator import Estimator
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline
from smpler_model.shared_image import SharedImage, join_pixels

CPU = torch.device("cpu")
AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1), smoothing=None)
BOXES = [[20.0, 10, 170, 215], [240, 4, 420, 220], [30, 230, 180, 440], [236, 233, 410, 441]]


class Looking:
    """A detector with a device: it notes where it was asked to look."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        self.looked.append("host")
        return detections_from(BOXES)

    def detect_on_device(self, image: torch.Tensor) -> Detections:
        self.looked.append(f"device {tuple(image.shape)}")
        return detections_from(BOXES)

    def reset(self) -> None:
        """Nothing is remembered."""


class LookingAtAll(Looking):
    """One that takes the images of several cameras at once."""

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        return [self.detect(image) for image in images]

    def detect_all_on_device(self, images: Sequence[torch.Tensor]) -> list[Detections]:
        self.looked.append(f"{len(images)} on a device")
        return [detections_from(BOXES) for _ in images]


class LookingAtHost:
    """A detector that knows no device."""

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        return detections_from(BOXES)

    def reset(self) -> None:
        """Nothing is remembered."""


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(load_shipped_model("smpler_nano"), backend="eager")


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Note what is uploaded."""
    upload, noted = shared_image.upload, list[tuple[int, ...]]()

    def note(rgb: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
        noted.append(rgb.shape)
        return upload(rgb, device)

    monkeypatch.setattr(shared_image, "upload", note)
    return noted


def four_people(index: int = 0) -> Frame:
    """Four drawn people, side by side and below one another."""
    a, b, c, d = load_check_crops(224)
    rgb = np.concatenate([np.concatenate([a, b], 1), np.concatenate([c, d], 1)])
    return Frame(rgb, index * 10**8)


def people_of(result: FrameResult) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    assert len(result.people) == 4
    return result.people.rotations, result.people.joints_m


@pytest.mark.parametrize("create", [Looking, LookingAtHost])
def test_people_are_the_same(estimator: Estimator, create: Callable[[], Detector]) -> None:
    """Crops differ by a level, people by less than what half precision costs."""
    usual, uploaded = (
        Pipeline(estimator, create, AT_ONCE, uploads=uploads).process(four_people(), mesh=True)
        for uploads in (False, True)
    )
    (rotations, joints), (found, found_joints) = people_of(usual), people_of(uploaded)
    apart = Rotation.from_matrix((found.swapaxes(-1, -2) @ rotations).reshape(-1, 3, 3))
    assert np.degrees(apart.magnitude()).max() < 0.5
    shifts = (found_joints - found_joints[:, :1]) - (joints - joints[:, :1])
    assert np.linalg.norm(shifts, axis=-1).max() < 0.002
    places = np.linalg.norm(found_joints - joints, axis=-1)
    assert (places / joints[..., 2]).max() < 0.002
    assert uploaded.people.vertices_m is not None


def test_an_image_is_uploaded_once(estimator: Estimator, uploads: list[tuple[int, ...]]) -> None:
    detectors = {name: Looking() for name in "ab"}
    waiting = iter(detectors.values())
    pipeline = Pipeline(estimator, lambda: next(waiting), AT_ONCE, uploads=True)
    results = pipeline.process_batch({name: four_people() for name in "ab"})
    assert [len(result.people) for result in results.values()] == [4, 4]
    assert uploads == [(448, 448, 3)] * 2
    assert [each.looked for each in detectors.values()] == [["device (448, 448, 3)"]] * 2


@pytest.mark.parametrize(
    ("uploaded", "looked"), [(True, ["2 on a device"]), (False, ["host", "host"])]
)
def test_cameras_that_share_a_detector(
    estimator: Estimator, uploads: list[tuple[int, ...]], uploaded: bool, looked: list[str]
) -> None:
    detector = LookingAtAll()
    pipeline = Pipeline(estimator, lambda: detector, AT_ONCE, uploads=uploaded)
    results = pipeline.process_batch({name: four_people() for name in "ab"})
    assert [len(result.people) for result in results.values()] == [4, 4]
    assert detector.looked == looked
    assert len(uploads) == 2 * uploaded


def test_nothing_is_uploaded_where_nobody_looks_at_it(uploads: list[tuple[int, ...]]) -> None:
    image = SharedImage(four_people(), CPU)
    image.detect(LookingAtHost())
    nobody = image.cut(np.empty((0, 4)), 64, 1.2)
    assert (len(nobody), nobody.pixels.shape) == (0, (0, 64, 64, 3))
    on_cpu = SharedImage(four_people(), None)
    detector = Looking()
    on_cpu.detect(detector)
    assert isinstance(on_cpu.cut(BOXES, 64, 1.2).pixels, np.ndarray)
    assert (detector.looked, uploads) == (["host"], [])


def test_a_frame_without_people_joins_a_batch() -> None:
    pixels = torch.ones(2, 8, 8, 3, dtype=torch.uint8)
    nobody = np.empty((0, 8, 8, 3), np.uint8)
    joined = join_pixels([nobody, pixels, nobody])
    assert isinstance(joined, torch.Tensor)
    assert joined.shape == (2, 8, 8, 3)
    assert isinstance(join_pixels([nobody, nobody]), np.ndarray)


def test_what_a_detector_with_a_device_is() -> None:
    assert isinstance(Looking(), DeviceDetector)
    assert not isinstance(LookingAtHost(), DeviceDetector)
