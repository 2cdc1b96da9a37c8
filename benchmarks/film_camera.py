"""A camera that publishes a rendered film, in a separate process, at next to no cost."""

from __future__ import annotations

import time
from array import array
from multiprocessing.synchronize import Event

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from benchmarks.node_camera import detection
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from synthetic.scene import SyntheticScene
from synthetic.truth import SceneFrame

SCENE_S = 12.0
FILM_S = 4.0
CAMERA = camera_from_field_of_view(640, 480, 60.0)


class FilmCamera:
    """Publishes the images of a scene with true boxes, forwards and back again.

    It is played back and forth, so that people do not jump and keep their ids, as before a real
    camera.
    """

    def __init__(self, node: Node, film: list[SceneFrame]) -> None:
        self._images = node.create_publisher(Image, "image", 5)
        self._infos = node.create_publisher(CameraInfo, "camera_info", 5)
        self._boxes = node.create_publisher(Detection2DArray, "detections", 5)
        self._pixels = [array("B", shot.frame.rgb.tobytes()) for shot in film]
        self._detections = [
            [detection(*box) for box in shot.truth.visible_boxes_xyxy.tolist()] for shot in film
        ]

    def has_subscribers(self) -> bool:
        """Return whether the node subscribes to all topics."""
        publishers = (self._images, self._infos, self._boxes)
        return all(publisher.get_subscription_count() for publisher in publishers)

    def send(self, index: int) -> None:
        """Publish an image with the current time as timestamp."""
        last = len(self._pixels) - 1
        at = last - abs(index % (2 * last) - last)
        header = Header(frame_id="camera_optical_frame")
        header.stamp.sec, header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        size = {"height": CAMERA.height, "width": CAMERA.width}
        self._infos.publish(CameraInfo(header=header, k=_matrix(CAMERA), **size))
        self._boxes.publish(Detection2DArray(header=header, detections=self._detections[at]))
        pixels = self._pixels[at]
        row = 3 * CAMERA.width
        self._images.publish(Image(header=header, encoding="rgb8", step=row, data=pixels, **size))


def send_film(people: int, rate_hz: float, is_ready: Event, is_over: Event) -> None:
    """Render a film, wait for the node, and publish until told to end.

    Args:
        people: number of people in the scene.
        rate_hz: rate of the images.
        is_ready: set here when the film is rendered.
        is_over: set when it is to end.
    """
    film = film_people(people, rate_hz)
    is_ready.set()
    rclpy.init()
    node = Node("camera_of_the_benchmark")
    camera = FilmCamera(node, film)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not camera.has_subscribers() and not is_over.is_set():
        executor.spin_once(timeout_sec=0.05)
    start, sent = time.monotonic(), 0
    while not is_over.is_set():
        if (wait := start + sent / rate_hz - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=wait)
        else:
            camera.send(sent)
            sent += 1
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()


def film_people(people: int, rate_hz: float) -> list[SceneFrame]:
    """Return the seconds of a scene in which most people are in view."""
    body = Body(load_builtin_body()).eval()
    small = camera_from_field_of_view(64, 48, 60.0)
    step_ns, count = round(1e9 / rate_hz), round(FILM_S * rate_hz)
    glance, scene = (
        SyntheticScene(body, camera, people=people, seed=0, duration_s=SCENE_S)
        for camera in (small, CAMERA)
    )
    stamps_ns = range(0, round(SCENE_S * 1e9), step_ns)
    seen = [len(glance.frame(stamp_ns).truth.ids) for stamp_ns in stamps_ns]
    start = int(np.argmax(np.convolve(seen, np.ones(count), "valid")))
    return [scene.frame(stamp_ns) for stamp_ns in stamps_ns[start : start + count]]


def _matrix(camera: Camera) -> list[float]:
    return [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
