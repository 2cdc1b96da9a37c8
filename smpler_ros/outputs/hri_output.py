"""REP 155's topics of one camera: /humans/bodies/tracked, and a region and a skeleton a body."""

from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.publisher import Publisher

from smpler_model.frames import FrameResult
from smpler_ros.inputs.camera_input import join_names
from smpler_ros.messages.hri import (
    body_ids,
    body_transforms,
    hri_types,
    region_messages,
    skeleton_messages,
    tracked_message,
)
from smpler_ros.messages.message_types import Message, MessageTypes, import_message_class

BODIES = "humans/bodies"
DEPTH = 10


class HriOutput:
    """Publishes bodies as REP 155 has them, as far as somebody listens.

    The REP fixes the frames' names: `tf_prefix` does not change them. State are the publishers of
    the bodies now tracked.
    """

    def __init__(
        self,
        node: LifecycleNode,
        namespace: str,
        types: MessageTypes,
        transforms: LifecyclePublisher[Any],
    ) -> None:
        """Create the publisher of the list.

        Args:
            node: publishing node.
            namespace: namespace of one camera of several, in that of the node if it is relative;
                empty for the REP's own `/humans`.
            types: the message classes.
            transforms: where the frames `body_<id>` go.

        Raises:
            ImportError: `hri_msgs` is not installed.
        """
        self._node = node
        self._types = types
        self._transforms = transforms
        try:
            self._hri = hri_types(import_message_class)
        except ImportError as error:
            raise ImportError(
                f"publish_hri needs the package hri_msgs, got: {error}; install it (apt: "
                "ros-<distribution>-hri-msgs) or set publish_hri to false"
            ) from error
        self._root = join_names(namespace, BODIES) if namespace else f"/{BODIES}"
        self._list = self._create(self._hri.ids_list, "tracked")
        self._bodies: dict[str, tuple[Publisher[Any], Publisher[Any]]] = {}

    def publish(self, header: Message, result: FrameResult) -> None:
        """Publish who is tracked, and where each of them is."""
        people, camera = result.people, result.camera
        names = body_ids(people)
        for gone in self._bodies.keys() - set(names):
            self._destroy(gone)
        for new in set(names) - self._bodies.keys():
            self._bodies[new] = (
                self._create(self._hri.region, f"{new}/roi"),
                self._create(self._hri.skeleton, f"{new}/skeleton2d"),
            )
        if any(_is_heard(region) for region, _ in self._bodies.values()):
            regions = region_messages(self._hri, header, people, camera)
            for name, message in zip(names, regions, strict=True):
                self._bodies[name][0].publish(message)
        if any(_is_heard(skeleton) for _, skeleton in self._bodies.values()):
            skeletons = skeleton_messages(self._hri, header, people, camera)
            for name, message in zip(names, skeletons, strict=True):
                self._bodies[name][1].publish(message)
        if names and _is_heard(self._transforms):
            self._transforms.publish(body_transforms(self._types, header, people))
        # Last, so that whoever reads it finds the bodies' topics.
        if _is_heard(self._list):
            self._list.publish(tracked_message(self._hri, header, people))

    def clear(self, header: Message) -> None:
        """Say that nobody is tracked any more."""
        for name in list(self._bodies):
            self._destroy(name)
        self._list.publish(self._hri.ids_list(header=header, ids=[]))

    def close(self) -> None:
        """Destroy the publishers."""
        for name in list(self._bodies):
            self._destroy(name)
        self._node.destroy_publisher(self._list)

    def _create(self, kind: Any, name: str) -> Publisher[Any]:  # noqa: ANN401 - a message class
        return self._node.create_publisher(kind, f"{self._root}/{name}", DEPTH)

    def _destroy(self, name: str) -> None:
        for publisher in self._bodies.pop(name):
            self._node.destroy_publisher(publisher)


def _is_heard(publisher: Publisher[Any] | LifecyclePublisher[Any]) -> bool:
    return publisher.get_subscription_count() > 0
