"""The live node: camera images in, people out. A lifecycle node that starts itself."""

import sys

from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rclpy.lifecycle import LifecyclePublisher, LifecycleState, TransitionCallbackReturn

from smpler_msgs.msg import SmplPersonArray
from smpler_ros.camera_input import CameraImage, CameraInput
from smpler_ros.convert import people_message
from smpler_ros.inbox import Inbox, Worker
from smpler_ros.process import ManagedNode, run_node

PEOPLE_QUEUE_DEPTH = 10


class SmplerNode(ManagedNode):
    """Subscribes `image` and `camera_info`, publishes `people` (`smpler_msgs/SmplPersonArray`).

    Callbacks only store the newest image; one worker thread does the rest. The camera's topics
    and the worker live from activate to deactivate, the publisher from configure to cleanup.
    """

    def __init__(self, node_name: str = "smpler_node") -> None:
        super().__init__(node_name)
        self.declare_parameter(
            "autostart",
            True,
            ParameterDescriptor(
                type=ParameterType.PARAMETER_BOOL,
                description="Configure and activate at start, without a lifecycle manager.",
                read_only=True,
            ),
        )
        self._people: LifecyclePublisher[SmplPersonArray] | None = None
        self._camera: CameraInput | None = None
        self._inbox: Inbox[CameraImage] = Inbox()
        self._worker: Worker[CameraImage] | None = None

    def start(self) -> bool:
        """Configure and activate, if the parameter `autostart` says so.

        Returns:
            False when a transition failed; the reason is in the log.
        """
        if not self.get_parameter("autostart").value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def close(self) -> None:
        """Stop the worker and leave the camera."""
        self._leave_camera()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the publisher."""
        self._people = self.create_lifecycle_publisher(
            SmplPersonArray, "people", PEOPLE_QUEUE_DEPTH
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Join the camera and start the worker."""
        result = super().on_activate(state)
        self._inbox = Inbox()
        self._worker = Worker(self._inbox, self._process, self._report)
        self._worker.start()
        self._camera = CameraInput(self, "", lambda image: self._inbox.put("", image))
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the camera and stop the worker."""
        self._leave_camera()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy the publisher."""
        result = super().on_cleanup(state)
        self._destroy_publisher()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._leave_camera()
        result = super().on_shutdown(state)
        self._destroy_publisher()
        return result

    def _leave_camera(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _destroy_publisher(self) -> None:
        if self._people is not None:
            self.destroy_lifecycle_publisher(self._people)
            self._people = None

    def _process(self, images: dict[str, CameraImage]) -> None:
        if self._people is None:
            return
        for camera_image in images.values():
            header = camera_image.image.header
            self._people.publish(people_message(SmplPersonArray, header, model=""))

    def _report(self, error: Exception) -> None:
        self.get_logger().error(
            f"a frame was dropped: {error}", throttle_duration_sec=5.0, skip_first=False
        )


def main() -> int:
    """Run the node as a process."""
    return run_node(SmplerNode)


if __name__ == "__main__":
    sys.exit(main())
