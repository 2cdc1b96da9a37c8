import pytest

from tests.fuzz.trial import try_target

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("form", ["mcap", "compressed", "sqlite", "rosbag1"])
def test_hostile_bags(form: str) -> None:
    assert try_target(f"bags:{form}") == []
