"""The live node: camera images in, people out. A lifecycle node that starts itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.timer import Timer
from std_msgs.msg import Header

from smpler_ros.inputs.arrival import Arrival
from smpler_ros.inputs.camera_input import CameraInput, InputConfig, detections_class
from smpler_ros.inputs.camera_names import check_camera_names
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.inputs.transform_input import TransformInput
from smpler_ros.node.diagnostics import diagnostic_array
from smpler_ros.node.latest_frames import Inbox, Worker
from smpler_ros.node.node_process import ManagedNode, run_node
from smpler_ros.node.statistics import Repetitions
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.ros_parameters import RosParameters

if TYPE_CHECKING:
    from smpler_ros.node.session import PeopleIds, Session

DIAGNOSTICS_PERIOD_S = 1.0
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SmplerNode(ManagedNode):
    """Subscribes to images and publishes the people in them. README.md lists the topics.

    Callbacks only store the newest image; one worker thread does the rest. Model, detector and
    publishers exist from configure to cleanup, subscriptions and the worker from activate to
    deactivate.
    """

    def __init__(self, node_name: str = "smpler_node") -> None:
        super().__init__(node_name)
        self._session: Session | None = None
        self._ids: PeopleIds | None = None  # of all sessions
        self._ros_parameters = RosParameters(
            self, NodeSettings, lambda: self._session is not None, self._apply
        )
        self._repetitions = Repetitions()
        self._inbox: Inbox[Arrival] = Inbox()
        self._worker: Worker[Arrival] | None = None
        self._inputs: list[CameraInput] = []
        self._transforms: TransformInput | None = None
        self._diagnostics: Publisher[DiagnosticArray] = self.create_publisher(
            DiagnosticArray, "/diagnostics", 10
        )
        self._timer: Timer | None = None

    @property
    def _settings(self) -> NodeSettings:
        return self._ros_parameters.settings

    def close(self) -> None:
        """Unsubscribe, stop the worker, delete all markers."""
        self._stop()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load model and detector and create the publishers; log the reason if that fails."""
        return self._attempt("configure", self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras and start the worker."""
        super().on_activate(state)
        return self._attempt("activate", self._join_cameras)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe, stop the worker, delete all markers."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release model, detector and publishers."""
        result = super().on_cleanup(state)
        self._end_session()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._stop()
        result = super().on_shutdown(state)
        self._end_session()
        return result

    def _attempt(self, what: str, step: Callable[[], None]) -> TransitionCallbackReturn:
        """Run a lifecycle transition; rclpy itself would hide its exceptions."""
        try:
            step()
        except Exception as error:
            self.get_logger().error(f"cannot {what}: {error}")
            self._leave_cameras()
            if what == "configure":
                self._end_session()
            return FAILURE
        return SUCCESS

    def _configure(self) -> None:
        self._settings.check_use()
        check_camera_names(
            self, self._settings.cameras, are_fused=self._settings.fusion_tolerance > 0
        )
        if self._settings.boxes_are_given:
            detections_class()  # refused here, not once the model is loaded
        model, detector = self._settings.model, self._settings.detector
        self.get_logger().info(f"loading the model {model} and the detector {detector}")
        # This imports PyTorch, which takes seconds; invalid parameters were refused before.
        from smpler_ros.node.session import PeopleIds, Session

        self._ids = self._ids or PeopleIds()
        self._session = Session(self, self._settings, self._report, self._ids)

    def _join_cameras(self) -> None:
        session = self._session
        if session is None:
            raise RuntimeError(
                "the node must be configured before it is activated, got no session; trigger the "
                "transition configure first"
            )
        self._inbox = Inbox()
        self._worker = Worker(self._inbox, self._process, self._report_publishing)
        self._worker.start()
        config = input_config(self._settings)
        if self._settings.fixed_frame:
            self._transforms = TransformInput(
                self,
                self._settings.fixed_frame,
                self._settings.transform_wait,
                self._inbox.put,
                self._miss_pose,
            )
        for name in session.cameras:
            self._inputs.append(
                CameraInput(self, name, config, self._store_for(name), self._lose_for(name))
            )
        self._timer = create_steady_timer(self, DIAGNOSTICS_PERIOD_S, self._diagnose)

    def _store_for(self, name: str) -> Callable[[Arrival], None]:
        def store(arrival: Arrival) -> None:
            if self._session is not None:
                self._session.statistics.receive(name)
            if self._transforms is None:
                self._inbox.put(name, arrival)
            else:
                self._transforms.add(name, arrival)

        return store

    def _miss_pose(self, name: str, reason: str) -> None:
        if self._session is not None:
            self._session.statistics.miss_pose(name)
        self._report(
            name,
            f"people have no position and velocity in '{self._settings.fixed_frame}', because the "
            f"camera's pose in it is unknown for an image: {reason}; publish the transforms "
            f"within {self._settings.transform_wait:g} s (transform_wait), or change fixed_frame",
        )

    def _lose_for(self, name: str) -> Callable[[], None]:
        def lose() -> None:
            if self._session is not None:
                self._session.statistics.lose(name)

        return lose

    def _stop(self) -> None:
        """Unsubscribe, stop the worker, delete the markers of an active node."""
        was_active = self._worker is not None
        self._leave_cameras()
        if not was_active or self._session is None or not self.context.ok():
            return
        try:
            self._session.clear(self.get_clock().now().nanoseconds)
        except Exception as error:  # the shutdown continues
            self.get_logger().warning(f"markers may remain displayed: {error}")

    def _leave_cameras(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        for camera in self._inputs:
            camera.close()
        self._inputs = []
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _process(self, arrivals: dict[str, Arrival]) -> None:
        session = self._session
        if session is None:
            return
        for name, done in session.process(arrivals):
            session.statistics.process(name, done.people, done.age_ms, done.steps_ms)

    def _diagnose(self) -> None:
        session = self._session
        if session is None:
            return
        reports = session.statistics.report(self._inbox.take_dropped())
        if self._diagnostics.get_subscription_count() == 0:
            return
        header = Header(stamp=self.get_clock().now().to_msg())
        name = self.get_fully_qualified_name()
        self._diagnostics.publish(
            diagnostic_array(header, name, reports, session.facts(), session.warning)
        )

    def _apply(self, settings: NodeSettings) -> None:
        """Use changed parameters from the next image on."""
        if self._session is not None:
            self._session.reconfigure(settings)

    def _report(self, camera: str, sentence: str) -> None:
        text = self._repetitions.word(f"{camera}: {sentence}" if camera else sentence)
        if text:
            self.get_logger().warning(text)

    def _report_publishing(self, error: Exception) -> None:
        sentence = f"results were not published: {type(error).__name__}: {error}"
        if self._session is not None:
            for name in self._session.cameras:
                self._session.statistics.fail(name, sentence)
        self._report("", sentence)


def input_config(settings: NodeSettings) -> InputConfig:
    """Return the topics to subscribe to."""
    return InputConfig(
        compressed=settings.image_transport == "compressed",
        depth=settings.use_depth,
        detections=settings.boxes_are_given,
        tolerance_s=settings.pairing_tolerance,
    )


def main() -> int:
    """Run the node as a process."""
    return run_node(SmplerNode, name="smpler_node")
