"""A small folder of rendered people with ground truth."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.real_people.estimation import BODY_JOINTS
from benchmarks.real_people.folder import JOINTS, PEOPLE_FILE
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.frames import Frame
from synthetic.truth import GroundTruth
from tests.benchmarks.seen_person import see

CAMERA = Camera(256, 192, 220, 220, 120, 100, "plumb_bob", (-0.2, 0.05, 0.001, -0.001, 0.0))
FRAMES = 5
PHOTO, VIDEO = "photo.png", "video.avi"


def write_folder(folder: Path, body: Body) -> tuple[Frame, GroundTruth]:
    """Write a photo and a video of a still person, and return frame and ground truth of both.

    The photo has a second box, on nobody, without labels.
    """
    frame, truth = see(body, CAMERA, 3.0)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (CAMERA.height, CAMERA.width, 3), np.uint8)
    cv2.imwrite(str(folder / PHOTO), noise)
    size = (CAMERA.width, CAMERA.height)
    writer = cv2.VideoWriter(str(folder / VIDEO), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, size)
    for _ in range(FRAMES):
        writer.write(noise)
    writer.release()
    write_people(folder, {"photos": [photo_of(truth)], "videos": [video_of(truth)]})
    return frame, truth


def photo_of(truth: GroundTruth) -> dict[str, Any]:
    """Describe the photo."""
    joints = np.column_stack((truth.keypoints_px[0, BODY_JOINTS], np.full(len(JOINTS), 2.0)))
    nobody = {
        "box_xyxy": [5, 5, 65, 95],
        "joints_px": [[0, 0, 0]] * len(JOINTS),
        "scored": False,
    }
    person = {
        "box_xyxy": truth.visible_boxes_xyxy[0].tolist(),
        "joints_px": joints.tolist(),
        "scored": True,
    }
    return {"image": PHOTO, "everybody": True, "people": [person, nobody]}


def video_of(truth: GroundTruth) -> dict[str, Any]:
    """Describe the video; every second frame is scored."""
    camera = CAMERA
    return {
        "video": VIDEO,
        "every": 2,
        "width": camera.width,
        "height": camera.height,
        "distortion_model": camera.lens,
        "k": [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0],
        "d": list(camera.coefficients),
        "boxes_xyxy": [truth.visible_boxes_xyxy[0].tolist()] * FRAMES,
        "joints_m": [truth.joints_m[0, BODY_JOINTS].tolist()] * FRAMES,
    }


def write_people(folder: Path, content: Mapping[str, Any]) -> None:
    """Write `people.json`, with the usual joints unless the content names others."""
    (folder / PEOPLE_FILE).write_text(json.dumps({"joints": list(JOINTS), **content}))
