"""Frames of noise with two given boxes, and runs of a pipeline over them."""

import numpy as np

from smpler_model.camera_pipeline import PipelineConfig
from smpler_model.cameras.camera import Camera
from smpler_model.detectors.detector import GivenBoxes, detections_from
from smpler_model.frames import Frame, FrameResult
from smpler_model.people.tracker import TrackerConfig
from smpler_model.pipeline import Pipeline

CAMERA = Camera(320, 240, 300.0, 302.0, 161.0, 119.0, "plumb_bob", (-0.1, 0.02, 0, 0, 0))
BOXES = [[20, 10, 90, 200], [150, 30, 230, 220]]
AT_ONCE = PipelineConfig(tracker=TrackerConfig(confirm_frames=1))


def frame(index: int, camera: Camera | None = CAMERA, seed: int = 0) -> Frame:
    """A blank image, 0.1 s after the previous one."""
    rng = np.random.default_rng([seed, index])
    rgb = rng.integers(0, 255, (240, 320, 3), np.uint8)
    return Frame(rgb, index * 10**8, "optical", camera)


def run(pipeline: Pipeline, frames: list[Frame], camera: str = "") -> list[FrameResult]:
    results = []
    for one in frames:
        give(pipeline, camera)
        results.append(pipeline.process(one, camera=camera))
    return results


def give(pipeline: Pipeline, camera: str) -> None:
    detector = pipeline.camera(camera).detector
    assert isinstance(detector, GivenBoxes)
    detector.give(detections_from(BOXES))


def assert_same(a: FrameResult, b: FrameResult, *, ids: bool = True) -> None:
    for name in ("rotations", "betas", "translations_m", "joints_m", "keypoints_px", "boxes_xyxy"):
        np.testing.assert_allclose(
            getattr(a.people, name), getattr(b.people, name), rtol=1e-4, atol=1e-4, err_msg=name
        )
    if ids:
        np.testing.assert_array_equal(a.people.ids, b.people.ids)
