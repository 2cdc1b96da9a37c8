import pytest

from tests.fuzz.trial import try_target

pytestmark = pytest.mark.slow

TARGETS = ("raw", "raw_depth", "compressed", "compressed_depth", "orientation")


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_images(name: str) -> None:
    assert try_target(f"images:{name}") == []
