"""The costmap in docs/world.md against the parameters that Nav2 and the plugin declare."""

import re
from pathlib import Path

import yaml

PAGE = Path(__file__).parents[2] / "docs" / "world.md"
COSTMAP = {"global_frame": str, "plugins": list}
"""Of those that nav2_costmap_2d/src/costmap_2d_ros.cpp declares (navigation2 a3a9704)."""

LAYERS = {"voxel_layer", "inflation_layer"}
"""Of the local costmap in nav2_bringup/params/nav2_params.yaml (navigation2 a3a9704)."""

SOCIAL_LAYER = {
    "plugin": str,
    "enabled": bool,
    "cutoff": float,
    "amplitude": float,
    **{
        f"covariance_{side}_{axis}": float
        for side in ("front", "rear", "right")
        for axis in ("height", "width")
    },
    "covariance_when_still": float,
    "use_passing": bool,
    "use_vel_factor": bool,
    "speed_factor_multiplier": float,
    "publish_occgrid": bool,
}
"""As src/social_layer.cpp of nav2_social_costmap_plugin declares them (3a8a396)."""


def test_the_costmap_has_keys_and_types_that_nav2_declares() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (text,) = [block for block in blocks if "local_costmap" in block]
    values = yaml.safe_load(text)["local_costmap"]["local_costmap"]["ros__parameters"]
    layer = values.pop("social_layer")
    assert {name: type(value) for name, value in values.items()} == COSTMAP
    assert set(values["plugins"]) == LAYERS | {"social_layer"}
    assert values["plugins"][-1] == "social_layer"  # inflation would not know people's cost
    assert {name: type(value) for name, value in layer.items()}.items() <= SOCIAL_LAYER.items()
    assert layer["plugin"] == "nav2_social_costmap_plugin::SocialLayer"
