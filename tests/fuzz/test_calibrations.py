from tests.fuzz.trial import try_target


def test_hostile_calibrations() -> None:
    assert try_target("calibrations:camera_info") == []
