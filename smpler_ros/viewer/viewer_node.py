"""A node that shows people in a browser, and subscribes only while one is open."""

from contextlib import ExitStack
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from smpler_model.assembly import load_named_body
from smpler_model.cameras.frame_reader import ImageSettings
from smpler_model.cameras.messages import Message
from smpler_model.settings.setting import table_of
from smpler_model.settings.world import FUSED
from smpler_model.viewing.choices import add_choices
from smpler_model.viewing.page import Page, open_page
from smpler_model.viewing.scene import Scene
from smpler_model.viewing.surfaces import SkinnedSurface
from smpler_model.viewing.trails import Trails
from smpler_model.viewing.viewpoint_buttons import add_viewpoint_buttons
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.inputs.adaptive_subscription import AdaptiveSubscription
from smpler_ros.inputs.camera_input import join_names, name_compressed
from smpler_ros.inputs.camera_names import check_camera_names
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.node.node_process import ManagedNode, run_node
from smpler_ros.parameters.node_settings import NodeSettings
from smpler_ros.parameters.ros_parameters import RosParameters
from smpler_ros.parameters.viewer_settings import ViewerSettings
from smpler_ros.viewer.live_fused import LiveFusedMoments
from smpler_ros.viewer.live_moments import LiveMoments

_CHECK_S = 0.25  # interval at which the node checks whether a browser shows the page
_ADAPT_S = 2.0
_PATIENCE = 5  # checks for publishers before their absence is reported
_LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


Topics = list[tuple[str, type[Any], Any]]
"""Name, class and callback of each topic, people first."""


class Viewer(ManagedNode):
    """Serves a page with the people of `people`, their `image` and the camera's pose.

    Of several cameras, it shows `fused/people`, and every camera with its image. True people from
    `ground_truth/people`, which the synthetic camera publishes, are shown as well. The page exists
    while the node is active, the subscriptions while a browser shows the page. The parameter file
    of `smpler_node` can be used; parameters of that node alone have no effect.
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
        self._steps = self._checks = 0
        self._begin()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Serve the page; log the reason if that fails."""
        settings = self._settings
        try:
            check_camera_names(self, settings.cameras)
            surface = SkinnedSurface(load_named_body(settings))
            page = self._stack.enter_context(open_page("people", settings.host, settings.port))
        except (OSError, ValueError) as error:
            self.get_logger().error(f"cannot activate: {error}")
            return TransitionCallbackReturn.FAILURE
        self._page, self._scene = page, Scene(page.server, surface)
        self._begin()
        names = self._moments.names if isinstance(self._moments, LiveFusedMoments) else ()
        add_viewpoint_buttons(page.server, self._scene, names)
        add_choices(page.server, self._scene.choices, self._scene.refresh)
        self._timer = create_steady_timer(self, _CHECK_S, self._check)
        self.get_logger().info(f"people are shown at {page.place}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the page."""
        self.close()
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the page."""
        self.close()
        return super().on_shutdown(state)

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
        settings, names = self._settings, self._settings.cameras
        images = ImageSettings(rectified=settings.rectified, yuv422=settings.yuv422)
        self._moments: LiveMoments | LiveFusedMoments = (
            LiveFusedMoments(names, images)
            if len(names) > 1
            else LiveMoments(settings.camera_height, settings.camera_pitch, images)
        )
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
            self._adapt()

    def _adapt(self) -> None:
        """Adapt the subscriptions to their publishers; report once if no node fuses people."""
        if self._moving is not None:
            self._moving.adapt()
        publishers = [each.adapt() for each in self._adaptive]
        if not publishers or not isinstance(self._moments, LiveFusedMoments):
            return
        self._checks = 0 if publishers[0] else self._checks + 1
        if self._checks == _PATIENCE:
            self.get_logger().warning(
                f"nothing publishes {self._adaptive[0].topic}, the fused people of several "
                "cameras; start smpler_node with fixed_frame and fusion_tolerance, or give "
                "`cameras` one name"
            )

    def _subscribe(self) -> None:
        self._begin()
        moments = self._moments
        topics = (
            self._topics_of_all(moments)
            if isinstance(moments, LiveFusedMoments)
            else self._topics_of_one(moments)
        )
        self._adaptive = [
            AdaptiveSubscription(self, name, kind, store) for name, kind, store in topics
        ]
        self._adapt()
        store = partial(moments.add_transforms, is_static=True)
        self._static = self.create_subscription(TFMessage, "/tf_static", store, _LATCHED)

    def _topics_of_one(self, moments: LiveMoments) -> Topics:
        """Return the topics of the only camera."""
        name = self._settings.cameras[0]
        return [
            (join_names(name, "people"), SmplPersonArray, self._show),
            (*self._image_topic(name), moments.add_image),
            (join_names(name, "camera_info"), CameraInfo, moments.add_info),
            (join_names(name, "ground_truth/people"), SmplPersonArray, moments.add_truth),
        ]

    def _topics_of_all(self, moments: LiveFusedMoments) -> Topics:
        """Return the topics of fused people, and of their cameras."""
        topics: Topics = [(join_names(FUSED, "people"), SmplPersonArray, self._show)]
        for name in moments.names:
            info, truth = (
                join_names(name, each) for each in ("camera_info", "ground_truth/people")
            )
            topics += [
                (*self._image_topic(name), partial(moments.add_image, name)),
                (info, CameraInfo, partial(moments.add_info, name)),
                (truth, SmplPersonArray, partial(moments.add_truth, name)),
            ]
        return topics

    def _image_topic(self, camera: str) -> tuple[str, type[Any]]:
        image = join_names(camera, "image")
        if self._settings.image_transport == "raw":
            return image, Image
        return name_compressed(self, image), CompressedImage

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
        if self._moving is None and self._moments.lacks_transforms(message):
            store = partial(self._moments.add_transforms, is_static=False)
            self._moving = AdaptiveSubscription(self, "/tf", TFMessage, store, depth=100)
            self._moving.adapt()
        self._scene.show(moment, self._trails.add(moment))


def main() -> int:
    """Run the node as a process."""
    return run_node(Viewer)
