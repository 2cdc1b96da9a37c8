import pytest

from tests.fuzz.trial import try_target

pytestmark = pytest.mark.slow


def test_hostile_calibrations() -> None:
    assert try_target("calibrations:camera_info") == []
