"""The command `synthetic_bag`."""

from pathlib import Path

import pytest

from smpler_model.commands.command import INTERRUPTED
from smpler_ros.camera.synthetic_bag import main
from synthetic.scene import SyntheticScene

SMALL = ["--quiet", "--duration", "1", "--width", "64", "--height", "48", "--people", "1"]


@pytest.mark.parametrize(
    ("images", "end"), [(0, "before the first image"), (2, "after 2 images; {} ends there")]
)
def test_an_interrupted_bag_says_where_it_ends(
    images: int,
    end: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    render, stamps = SyntheticScene.frame, []

    def interrupted(scene: SyntheticScene, stamp_ns: int, *, depth: bool) -> object:
        if len(stamps) == images:
            raise KeyboardInterrupt
        stamps.append(stamp_ns)
        return render(scene, stamp_ns, depth=depth)

    monkeypatch.setattr(SyntheticScene, "frame", interrupted)
    bag = tmp_path / "bag"
    assert main([str(bag), *SMALL]) == INTERRUPTED
    assert capsys.readouterr().err == f"synthetic_bag: interrupted {end.format(bag)}\n"
