"""A synthetic camera: rendered people walking through a room, with ground truth."""

import math
import threading
from typing import cast

from rclpy.clock import ROSClock
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from smpler_ros.camera.scene_player import ClockWatch, Film, FilmPlayer, PlayerHost
from smpler_ros.camera.scene_topics import SceneTopics
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.node.node_process import ManagedNode, run_node
from smpler_ros.parameters.ros_parameters import RosParameters
from smpler_ros.parameters.scene_settings import SceneSettings

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
REPORT_PERIOD_S = 5.0
LEAST_SHARE_LEFT_OUT = 0.05  # of the images; smaller fractions of drops are not reported


class SyntheticCamera(ManagedNode):
    """Publishes `image`, `image/compressed`, `camera_info`, `depth` and `ground_truth/people`.

    A thread renders and publishes from activate to deactivate. All publishers are reliable, which
    matches reliable and best-effort subscribers.
    """

    def __init__(self, node_name: str = "synthetic_camera") -> None:
        super().__init__(node_name)
        self._film: Film | None = None
        self._topics: SceneTopics | None = None
        self._ros_parameters = RosParameters(
            self, SceneSettings, lambda: self._topics is not None, lambda _: None
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._player: FilmPlayer | None = None
        self._reported = 0
        self._timer = create_steady_timer(self, REPORT_PERIOD_S, self._report)

    @property
    def _settings(self) -> SceneSettings:
        return self._ros_parameters.settings

    def close(self) -> None:
        """Stop the thread."""
        self._stop_playing()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create the scene and the publishers; log the reason if that fails."""
        try:
            self._film = _load_film(self._settings)
            self._topics = SceneTopics(self, self._settings, self._film.scene.camera)
        except Exception as error:  # rclpy itself would hide it
            self.get_logger().error(f"cannot configure: {error}")
            return FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Publish the camera's transform and start the thread."""
        result = super().on_activate(state)
        film, topics = self._film, self._topics
        if film is None or topics is None:
            return FAILURE
        self._stop = threading.Event()
        clock = cast(ROSClock, self.get_clock())

        def now_ns() -> int:
            return int(clock.now().nanoseconds)

        watch = ClockWatch(now_ns)
        stage = PlayerHost(
            now_ns=now_ns,
            wait=self._stop.wait,
            has_subscribers=topics.has_subscribers,
            show=topics.publish,
            was_set=lambda: watch.was_set() and not clock.ros_time_is_active,
        )
        duration_s = self._settings.duration or math.inf
        self._player, self._reported = FilmPlayer(film, stage, duration_s), 0
        topics.place(film.scene.world_from_camera(0), stage.now_ns())
        self._thread = threading.Thread(
            target=self._play, args=(film, self._player), name="synthetic_camera"
        )
        self._thread.start()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the thread."""
        self._stop_playing()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the scene and destroy the publishers."""
        result = super().on_cleanup(state)
        self._forget()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._stop_playing()
        result = super().on_shutdown(state)
        self._forget()
        return result

    def _stop_playing(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _forget(self) -> None:
        if self._topics is not None:
            self._topics.close()
            self._film = self._topics = self._player = None

    def _play(self, film: Film, player: FilmPlayer) -> None:
        if self._settings.rendering == "ahead" and not self._render_ahead(film):
            return
        self.get_logger().info(f"publishing at {film.rate_hz:g} Hz")
        player.play()
        if not self._stop.is_set():
            self.get_logger().info("the duration is over; publishing stopped")

    def _render_ahead(self, film: Film) -> bool:
        """Render the whole loop; return False when it is time to stop."""
        log = self.get_logger()
        log.info(f"rendering {film.length} images ahead ({film.size_mb:.0f} MB)")
        done = 0
        while done < film.length and not self._stop.is_set():
            done = film.render_ahead()
            log.info(
                f"rendered {done} of {film.length} images",
                throttle_duration_sec=5.0,
                skip_first=True,
            )
        return not self._stop.is_set()

    def _report(self) -> None:
        """Log how many images were dropped since the last report."""
        player = self._player
        if player is None or player.dropped == self._reported:
            return
        count, self._reported = player.dropped - self._reported, player.dropped
        due = REPORT_PERIOD_S * player.rate_hz
        if count < LEAST_SHARE_LEFT_OUT * due:
            return
        remedy = (
            "set rendering to ahead, or lower rate, people or the size"
            if self._settings.rendering == "live"
            else "lower rate or the size"
        )
        self.get_logger().warning(
            f"{count} of {due:.0f} images were dropped in {REPORT_PERIOD_S:.0f} s because the "
            f"processor could not keep up; {remedy}"
        )


def _load_film(settings: SceneSettings) -> Film:
    """Return the film; this imports PyTorch, which takes seconds."""
    import torch

    from smpler_ros.camera.scene_film import make_film

    torch.set_num_threads(1)  # bodies are small, and the subscribers need the cores
    return make_film(settings)


def main() -> int:
    """Run the node as a process."""
    return run_node(SyntheticCamera, name="synthetic_camera")
