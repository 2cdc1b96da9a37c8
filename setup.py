"""Packaging of smpler_ros; its dependencies are in package.xml and pyproject.toml."""

import sys
from pathlib import Path

from setuptools import find_packages, setup


def share_files() -> list[tuple[str, list[str]]]:
    """Return the files that ROS looks up in the package's share folder.

    None for an editable install, where copies would become stale.
    """
    if "editable_wheel" in sys.argv:
        return []
    share = "share/smpler_ros"
    folders = [
        (f"{share}/{name}", sorted(str(file) for file in Path(name).glob("*.*")))
        for name in ("launch", "config")
    ]
    return [
        ("share/ament_index/resource_index/packages", ["resource/smpler_ros"]),
        (share, ["package.xml"]),
        *((target, files) for target, files in folders if files),
    ]


setup(
    name="smpler_ros",
    version="0.1.0",
    description="People in 3D for robots: SMPL bodies from camera images with SMPLer.",
    license="Apache-2.0",
    maintainer="smpler_ros maintainers",
    maintainer_email="maintainers@smpler-ros.example",
    python_requires=">=3.10",
    packages=find_packages(include=["smpler_ros*", "smpler_model*", "synthetic*", "training*"]),
    package_data={"smpler_model": ["data/*"]},
    data_files=share_files(),
    install_requires=["setuptools"],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "camera_stand = smpler_ros.camera_stand:main",
            "evaluate_bag = smpler_ros.evaluate_bag:main",
            "smpler = smpler_model.__main__:main",
            "smpler_node = smpler_ros.smpler_node:main",
            "synthetic_bag = smpler_ros.synthetic_bag:main",
            "synthetic_camera = smpler_ros.synthetic_camera:main",
            "viewer = smpler_ros.viewer.__main__:main",
        ]
    },
)
