"""Two calibrated cameras that see the same room: drawn images, and a bag of them with truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.frames import FrameResult
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.messages.convert import (
    header_message,
    person_array_message,
    transform_message,
)
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import MESSAGE_NAMES
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame, people_from_truth

CAMERA = Camera(320, 240, 240.0, 240.0, 159.5, 119.5)
NAMES = ("left", "right")
MOMENTS, STEP_NS, APART_NS = 5, 100_000_000, 7_000_000
START_NS = 1_700_000_000_000_000_000

_PLACES_M = {"left": (-3.0, 0.3, 1.5), "right": (0.6, -3.4, 1.3)}
_TARGET_M = (0.5, 0.0, 0.85)
_BEGIN_NS = 4_000_000_000  # of the scene: everybody is in view


class StillScene(SyntheticScene):
    """A scene seen from a place."""

    def __init__(self, name: str, people: int, seed: int) -> None:
        self.pose = look_at(np.array(_PLACES_M[name]), np.array(_TARGET_M))
        body = Body(load_builtin_body())
        super().__init__(
            body, CAMERA, people=people, seed=seed, duration_s=30, frame_id=f"{name}_optical"
        )

    def world_from_camera(self, stamp_ns: int) -> np.ndarray:
        """Return the camera's pose (4, 4)."""
        del stamp_ns
        return self.pose


def look_at(place_m: np.ndarray, target_m: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4) of a level camera."""
    ahead = (target_m - place_m) / np.linalg.norm(target_m - place_m)
    right = np.cross(ahead, (0, 0, 1))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack([right, np.cross(ahead, right), ahead, place_m])
    return pose


def shoot(people: int = 2, seed: int = 1) -> list[dict[str, SceneFrame]]:
    """Return the images of each moment by camera; the right one's are a little later."""
    scenes = {name: StillScene(name, people, seed) for name in NAMES}
    moments = []
    for number in range(MOMENTS):
        shots = {}
        for late, (name, scene) in enumerate(scenes.items()):
            after_ns = number * STEP_NS + late * APART_NS
            shot = scene.frame(_BEGIN_NS + after_ns)
            shots[name] = replace(shot, frame=replace(shot.frame, stamp_ns=START_NS + after_ns))
        moments.append(shots)
    return moments


def write_two_cameras(path: Path, moments: list[dict[str, SceneFrame]]) -> None:
    """Write a bag: the left camera is still, the right one's transforms come with its images."""
    with BagWriter(path) as writer:
        types = writer.types
        for moment in moments:
            for name, shot in moment.items():
                frame = shot.frame
                stamp_ns, is_still = frame.stamp_ns, name == "left"
                pose = transform_message(
                    types,
                    header_message(types, stamp_ns, "map"),
                    frame.frame_id,
                    shot.truth.world_from_camera,
                )
                writer.write(
                    "/tf_static" if is_still else "/tf",
                    MESSAGE_NAMES["tf_message"],
                    stamp_ns,
                    types.tf_message(transforms=[pose]),
                    latched=is_still,
                )
                header = header_message(types, stamp_ns, frame.frame_id)
                assert frame.camera is not None
                info = camera_info_message(types, header, frame.camera)
                image = image_message(types, header, frame.rgb)
                kinds = MESSAGE_NAMES["camera_info"], MESSAGE_NAMES["image"]
                writer.write(f"/{name}/camera_info", kinds[0], stamp_ns, info)
                writer.write(f"/{name}/image_raw", kinds[1], stamp_ns, image)
                people = people_from_truth(shot.truth)
                result = FrameResult(stamp_ns, frame.frame_id, frame.camera, people)
                truth = person_array_message(types, header, "", result, vertices=False)
                topic = f"/{name}/ground_truth/people"
                writer.write(topic, MESSAGE_NAMES["person_array"], stamp_ns, truth)
