"""Creates the film for the synthetic camera's settings."""

from dataclasses import replace

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_ros.camera.scene_player import Film, film_size_mb
from smpler_ros.parameters.scene_settings import LENSES, SceneSettings
from synthetic.scene import SyntheticScene


def make_film(settings: SceneSettings) -> Film:
    """Return the film for the settings.

    Raises:
        ValueError: it is rendered ahead and exceeds the memory limit, or shows no people.
    """
    if settings.people and settings.empty >= settings.loop:
        raise ValueError(
            f"empty must be shorter than loop, got {settings.empty:g} s of {settings.loop:g} s: "
            "no person would be seen; set empty to 0, or make loop longer"
        )
    _check_memory(settings)
    return Film(_make_scene(settings), settings.rate, depth=settings.publish_depth)


def _check_memory(settings: SceneSettings) -> None:
    images = settings.loop * settings.rate
    size_mb = film_size_mb(images, settings.width * settings.height, depth=settings.publish_depth)
    if settings.rendering == "ahead" and size_mb > settings.memory:
        raise ValueError(
            f"images rendered ahead must fit into {settings.memory} MB, but {images:.0f} of them "
            f"take {size_mb:.0f} MB; shorten loop, set rendering to live, or raise memory"
        )


def _make_scene(settings: SceneSettings) -> SyntheticScene:
    assumed = camera_from_field_of_view(settings.width, settings.height, settings.fov)
    return SyntheticScene(
        Body(load_builtin_body()),
        replace(assumed, lens=settings.lens, coefficients=LENSES[settings.lens], calibrated=True),
        people=settings.people,
        seed=settings.seed,
        duration_s=settings.loop,
        empty_s=settings.empty,
        camera_motion=settings.camera_motion,
        background=settings.background,
        frame_id=settings.frame_id,
    )
