"""The output bag's messages for one camera: the node's, with the images' timestamps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smpler_model.bags.camera_poses import MOVING
from smpler_model.cameras.messages import Message
from smpler_model.drawing.overlay import RenderStyle, draw_result
from smpler_model.frames import Frame, FrameResult
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.messages.convert import (
    frame_prefix,
    header_message,
    person_array_message,
    person_transforms,
)
from smpler_ros.messages.images import camera_info_message, image_message, jpeg_message
from smpler_ros.messages.markers import MeshMarkers, SkeletonMarkers
from smpler_ros.messages.message_types import MESSAGE_NAMES

OVERLAY = "overlay/compressed"

_COMPRESSED = "/compressed"


class CameraMessages:
    """The topics of one camera in the output bag."""

    def __init__(
        self,
        image: str,
        namespace: str,
        bag: SegmentedBag,
        config: EvaluationSettings,
        model: str,
        faces: NDArray[np.integer],
    ) -> None:
        """Create the topics' constructors.

        Args:
            image: topic of the images in the input.
            namespace: namespace of the camera.
            bag: the output bag.
            config: settings of the evaluation.
            model: name of the model.
            faces: (f, 3) of the body.
        """
        self._image, self._namespace = image, namespace
        self._bag, self._config = bag, config
        self._model, self._faces = model, faces
        lifetime_s = config.marker_lifetime
        self._meshes = MeshMarkers(
            bag.types, faces, lifetime_s=lifetime_s, alpha=config.mesh_opacity
        )
        self._skeletons = SkeletonMarkers(bag.types, lifetime_s=lifetime_s)

    @property
    def shown(self) -> list[int]:
        """Ids of the people whose markers are displayed; set them to resume a run."""
        return sorted(self._skeletons.shown | self._meshes.shown)

    @shown.setter
    def shown(self, ids: list[int]) -> None:
        self._skeletons.shown, self._meshes.shown = set(ids), set(ids)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write the messages of a frame."""
        types, wanted = self._bag.types, self._config.outputs
        header = header_message(types, result.stamp_ns, result.frame_id)
        stamp_ns, people = result.stamp_ns, result.people
        info = camera_info_message(types, header, result.camera)
        self._write("camera_info", "camera_info", stamp_ns, info)
        if "people" in wanted:
            message = person_array_message(types, header, self._model, result, vertices=False)
            self._write("people", "person_array", stamp_ns, message)
        if "tf" in wanted and len(people):
            prefix = frame_prefix(self._config.tf_prefix)
            transforms = person_transforms(
                types, header, result, prefix, self._config.tf_confidence
            )
            self._bag.write(MOVING, MESSAGE_NAMES["tf_message"], stamp_ns, transforms)
        if "mesh_markers" in wanted:
            markers = self._meshes.serialize(header, people)
            self._write("mesh_markers", "marker_array", stamp_ns, markers)
        if "skeleton_markers" in wanted:
            markers = self._skeletons.serialize(header, people)
            self._write("skeleton_markers", "marker_array", stamp_ns, markers)
        if "overlay" in wanted:
            self._write_overlay(header, frame, result)
        if "images" in wanted:
            self._write_image(header, frame)

    def _write_overlay(self, header: Message, frame: Frame, result: FrameResult) -> None:
        style = RenderStyle(mesh=self._config.overlay_mesh)
        drawn = draw_result(frame.rgb, result, self._faces, style)
        message = jpeg_message(self._bag.types, header, drawn, self._config.jpeg_quality)
        self._write(OVERLAY, "compressed_image", result.stamp_ns, message)

    def _write_image(self, header: Message, frame: Frame) -> None:
        """Write the image to its original topic, unchanged, raw or as JPEG."""
        types = self._bag.types
        if self._image.endswith(_COMPRESSED):
            kind = "compressed_image"
            message = jpeg_message(types, header, frame.rgb, self._config.jpeg_quality)
        else:
            kind, message = "image", image_message(types, header, frame.rgb)
        self._bag.write(self._image, MESSAGE_NAMES[kind], frame.stamp_ns, message)

    def _write(self, name: str, kind: str, stamp_ns: int, message: Message) -> None:
        topic = f"{self._namespace}/{name}"
        self._bag.write(topic, MESSAGE_NAMES[kind], stamp_ns, message)


def find_namespaces(images: Sequence[str]) -> dict[str, str]:
    """Return the namespaces of cameras by their image topics.

    It is the parent of the image topic (`/front` for `/front/image_raw/compressed`), or the image
    topic itself if several cameras have the same parent.
    """
    bases = {image: image.removesuffix(_COMPRESSED) for image in images}
    places = {image: base.rpartition("/")[0] for image, base in bases.items()}
    counts = list(places.values())
    return {
        image: place if counts.count(place) == 1 else bases[image]
        for image, place in places.items()
    }
