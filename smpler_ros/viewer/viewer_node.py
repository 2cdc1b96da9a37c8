"""A node that shows people in a browser, and subscribes only while one is open."""

from contextlib import ExitStack
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from smpler_model.assembly import load_named_body
from smpler_model.settings.setting import table_of
from smpler_model.viewing.choices import add_choices
from smpler_model.viewing.page import Page, open_page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_model.viewing.trails import Trails
from smpler_model.viewing.viewpoint_buttons import add_viewpoint_buttons
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.inputs.adaptive_subscription import AdaptiveSubscription
from smpler_ros.inputs.camera_input import compressed_topic
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.messages.message_types import Message
from smpler_ros.node.node_process import ManagedNode, run_node
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.ros_parameters import RosParameters
from smpler_ros.parameters.viewer_settings import ViewerSettings
from smpler_ros.viewer.live_moments import LiveMoments

_CHECK_S = 0.25  # interval at which the node checks whether a browser shows the page
_ADAPT_S = 2.0
_LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Viewer(ManagedNode):
    """Serves a page with the people of `people`, their `image` and the camera's pose.

    True people from `ground_truth/people`, which the synthetic camera publishes, are shown as
    well. The page exists while the node is active, the subscriptions while a browser shows the
    page. The parameter file of `smpler_node` can be used; parameters of that node alone have no
    effect.
    """

    def __init__(self, node_name: str = "viewer") -> None:
        super().__init__(node_name)
        self._parameters_of_ros = RosParameters(
            self,
            ViewerSettings,
            lambda: self._page is not None,
            lambda _: None,
            ignored=[each.name for each in table_of(NodeSettings)],
        )
        self._stack = ExitStack()
        self._page: Page | None = None
        self._scene: Scene | None = None
        self._timer: Timer | None = None
        self._adaptive: list[AdaptiveSubscription] = []
        self._moving: AdaptiveSubscription | None = None
        self._static: Any = None
        self._steps = 0
        self._begin()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Serve the page; log the reason if that fails."""
        settings = self._settings
        try:
            surface = SkinnedSurface(load_named_body(settings))
            page = self._stack.enter_context(open_page("people", settings.host, settings.port))
        except (OSError, ValueError) as error:
            self.get_logger().error(f"cannot activate: {error}")
            return TransitionCallbackReturn.FAILURE
        self._page, self._scene = page, Scene(page.server, surface)
        add_viewpoint_buttons(page.server, self._scene)
        add_choices(page.server, self._scene.choices, self._scene.refresh)
        self._timer = create_steady_timer(self, _CHECK_S, self._check)
        self.get_logger().info(f"people are shown at {page.address}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the page."""
        self.close()
        return super().on_deactivate(state)

    def close(self) -> None:
        """Unsubscribe, and close the page."""
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        self._unsubscribe()
        self._stack.close()
        self._page = self._scene = None

    @property
    def _settings(self) -> ViewerSettings:
        return self._parameters_of_ros.settings

    def _begin(self) -> None:
        settings = self._settings
        self._moments = LiveMoments(settings.camera_height, settings.camera_pitch)
        self._trails = Trails()

    def _check(self) -> None:
        """Subscribe while a browser shows the page."""
        watched = self._page is not None and self._page.is_watched
        if watched and not self._adaptive:
            self._subscribe()
        elif not watched and self._adaptive:
            self._unsubscribe()
        self._steps += 1
        if self._steps % round(_ADAPT_S / _CHECK_S) == 0:
            for each in self._adaptive:
                each.adapt()

    def _subscribe(self) -> None:
        self._begin()
        is_raw = self._settings.image_transport == "raw"
        image = self.resolve_topic_name("image")  # first remapped, then extended
        image, kind = (image, Image) if is_raw else (compressed_topic(image), CompressedImage)
        topics: list[tuple[str, type[Any], Any]] = [
            ("people", SmplPersonArray, self._show),
            (image, kind, self._moments.add_image),
            ("camera_info", CameraInfo, self._moments.add_info),
            ("ground_truth/people", SmplPersonArray, self._moments.add_truth),
        ]
        self._adaptive = [
            AdaptiveSubscription(self, name, kind, store) for name, kind, store in topics
        ]
        for each in self._adaptive:
            each.adapt()
        store = self._moments.add_transforms
        self._static = self.create_subscription(TFMessage, "/tf_static", store, _LATCHED)

    def _unsubscribe(self) -> None:
        for each in (*self._adaptive, *([self._moving] if self._moving else [])):
            each.close()
        if self._static is not None:
            self.destroy_subscription(self._static)
        self._adaptive, self._moving, self._static = [], None, None

    def _show(self, message: Message) -> None:
        if self._scene is None:
            return
        moment = self._moments.add_people(message)
        # With a subscriber, smpler_node publishes all joints on /tf; subscribe only if needed.
        if self._moving is None and not self._moments.knows_place(message.header.frame_id):
            store = self._moments.add_transforms
            self._moving = AdaptiveSubscription(self, "/tf", TFMessage, store, depth=100)
        self._scene.show(moment, self._trails.add(moment))


def main() -> int:
    """Run the node as a process."""
    return run_node(Viewer)
