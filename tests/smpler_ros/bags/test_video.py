"""The overlays' videos: file names and contents."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.drawing.video import count_images
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.bags.camera_messages import OVERLAY
from smpler_ros.bags.run_files import BAG
from smpler_ros.bags.video import name_videos, write_videos
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.images import jpeg_message


def overlays(*places: str) -> list[str]:
    return [f"{place}/{OVERLAY}" for place in places]


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["/front"], ["overlay.mp4"]),
        (["/front", "/rear"], ["overlay_front.mp4", "overlay_rear.mp4"]),
        (["", "/rear"], ["overlay.mp4", "overlay_rear.mp4"]),
        (["/a/b", "/a_b"], ["overlay_a_b.mp4", "overlay_a_b_2.mp4"]),
        (
            ["/a/b", "/a_b", "/a_b_2"],
            ["overlay_a_b.mp4", "overlay_a_b_2.mp4", "overlay_a_b_2_2.mp4"],
        ),
    ],
)
def test_video_names_follow_the_cameras(places: list[str], names: list[str]) -> None:
    assert name_videos(overlays(*places)) == dict(zip(overlays(*places), names, strict=True))


@given(places=st.lists(st.text("a_/é$.", max_size=400), unique=True, max_size=6))
def test_video_names_are_unique_and_valid(places: list[str]) -> None:
    names = name_videos(overlays(*places))
    assert len(set(names.values())) == len(places)
    for name in names.values():
        assert "/" not in name
        assert len(name.encode()) <= 255


def test_every_camera_gets_a_video(tmp_path: Path) -> None:
    long = "/" + "c" * 300
    counts = {"/a/b": 2, "/a_b": 3, long: 4}
    with BagWriter(tmp_path / BAG) as writer:
        for place, count in counts.items():
            for index in range(count):
                stamp_ns = 10**9 + index * 10**7
                header = header_message(writer.types, stamp_ns, "camera")
                image = jpeg_message(writer.types, header, np.zeros((48, 64, 3), np.uint8))
                kind = "sensor_msgs/msg/CompressedImage"
                writer.write(f"{place}/{OVERLAY}", kind, stamp_ns, image)
    names = write_videos(tmp_path)
    found = {topic: count_images(tmp_path / name) for topic, name in names.items()}
    assert found == {f"{place}/{OVERLAY}": count for place, count in counts.items()}
