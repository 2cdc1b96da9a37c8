"""REP 155's topics of one camera: /humans/bodies/tracked, and region and skeleton per body."""

from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.publisher import (  # type: ignore[attr-defined]  # the name of all distributions
    Publisher,
    PublisherEventCallbacks,
)

from smpler_model.cameras.messages import Message
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
from smpler_ros.messages.message_types import MessageTypes, import_message_class
from smpler_ros.outputs.camera_output import CLEAR_TIMEOUT
from smpler_ros.outputs.subscribers import has_subscribers

BODIES = "humans/bodies"
DEPTH = 10


class HriOutput:
    """Publishes bodies as in REP 155, on topics with subscribers.

    The REP fixes the frames' names: `tf_prefix` does not change them. State: the publishers of
    the tracked bodies.
    """

    topics = BODIES

    def __init__(
        self,
        node: LifecycleNode,
        namespace: str,
        types: MessageTypes,
        transforms: LifecyclePublisher[Any],
        own_subscriptions: int,
    ) -> None:
        """Create the publisher of the list.

        Args:
            node: publishing node.
            namespace: namespace of one camera of several, in that of the node if it is relative;
                empty for the REP's own `/humans`.
            types: the message classes.
            transforms: publisher of the frames `body_<id>`.
            own_subscriptions: see `TopicOutputs`.

        Raises:
            ImportError: `hri_msgs` is not installed.
        """
        self._node = node
        self._types = types
        self._transforms, self._own_subscriptions = transforms, own_subscriptions
        try:
            self._hri = hri_types(import_message_class)
        except ImportError as error:
            raise ImportError(
                f"publish_hri needs the package hri_msgs, got: {error}; install it (apt: "
                "ros-<distribution>-hri-msgs) or set publish_hri to false"
            ) from error
        self._root = join_names(namespace, BODIES) if namespace else f"/{BODIES}"
        ids_list: Any = self._hri.ids_list
        self._list = node.create_publisher(ids_list, f"{self._root}/tracked", DEPTH)
        self._bodies: dict[str, tuple[Publisher[Any], Publisher[Any]]] = {}

    def publish(self, header: Message, result: FrameResult) -> None:
        """Publish the tracked ids, and region and skeleton of each body."""
        people, camera = result.people, result.camera
        names = body_ids(people)
        for gone in self._bodies.keys() - set(names):
            self._destroy(gone)
        for new in set(names) - self._bodies.keys():
            self._bodies[new] = (
                self._create(self._hri.region, f"{new}/roi"),
                self._create(self._hri.skeleton, f"{new}/skeleton2d"),
            )
        if any(has_subscribers(region) for region, _ in self._bodies.values()):
            regions = region_messages(self._hri, header, people, camera)
            for name, message in zip(names, regions, strict=True):
                self._bodies[name][0].publish(message)
        if any(has_subscribers(skeleton) for _, skeleton in self._bodies.values()):
            skeletons = skeleton_messages(self._hri, header, people, camera)
            for name, message in zip(names, skeletons, strict=True):
                self._bodies[name][1].publish(message)
        if names and has_subscribers(self._transforms, self._own_subscriptions):
            self._transforms.publish(body_transforms(self._types, header, people))
        # Last, so that its subscribers find the bodies' topics.
        if has_subscribers(self._list):
            self._list.publish(tracked_message(self._hri, header, people))

    def clear(self, header: Message) -> None:
        """Publish that no body is tracked any more, and wait for acknowledgement."""
        for name in list(self._bodies):
            self._destroy(name)
        self._list.publish(self._hri.ids_list(header=header, ids=[]))
        self._list.wait_for_all_acked(CLEAR_TIMEOUT)

    def close(self) -> None:
        """Destroy the publishers."""
        for name in list(self._bodies):
            self._destroy(name)
        self._node.destroy_publisher(self._list)

    def _create(self, kind: Any, name: str) -> Publisher[Any]:  # noqa: ANN401 - a message class
        """Return a publisher without event handlers.

        The worker's thread creates and destroys it while the executor waits. The executor would
        also wait for handlers, and fails if one of them was just destroyed.
        """
        events = PublisherEventCallbacks(use_default_callbacks=False)
        topic = f"{self._root}/{name}"
        return self._node.create_publisher(kind, topic, DEPTH, event_callbacks=events)

    def _destroy(self, name: str) -> None:
        for publisher in self._bodies.pop(name):
            self._node.destroy_publisher(publisher)
