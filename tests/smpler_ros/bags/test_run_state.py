"""Checkpoint files that are read back."""

from pathlib import Path

import numpy as np
import pytest

from smpler_ros.bags.run_state import RunState, load_checkpoint

ONES = np.ones(3)


def test_a_checkpoint_is_read_back(tmp_path: Path) -> None:
    state = RunState("digest", {"walk_0.mcap": 7}, frames=3, arrays={"smoother//a": {"x": ONES}})
    state.save(tmp_path / "state.npz")
    loaded = load_checkpoint(tmp_path / "state.npz")
    np.testing.assert_array_equal(loaded.arrays["smoother//a"]["x"], ONES)
    assert vars(loaded) | {"arrays": {}} == vars(state) | {"arrays": {}}


@pytest.mark.parametrize("damage", ["empty", "truncated", "changed", "text"])
def test_a_damaged_checkpoint_is_refused_in_a_sentence(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "state.npz"
    RunState("digest", {}).save(file)
    content = file.read_bytes()
    damaged = {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "changed": content.replace(b"digest", b"dig3st"),
        "text": b"no checkpoint",
    }
    file.write_bytes(damaged[damage])
    with pytest.raises(ValueError, match=r"must be the state of a run .*; evaluate without"):
        load_checkpoint(file)
