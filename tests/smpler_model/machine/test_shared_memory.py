from pathlib import Path

from smpler_model.machine.shared_memory import check_shared_memory


def test_room_is_enough_or_not(tmp_path: Path) -> None:
    assert check_shared_memory(tmp_path, 1).problem == ""
    full = check_shared_memory(tmp_path, 1 << 60)
    assert "MiB must be free: start the container with --ipc host" in full.problem
    assert str(tmp_path) in full.state


def test_a_machine_without_it(tmp_path: Path) -> None:
    assert check_shared_memory(tmp_path / "none").problem == ""
