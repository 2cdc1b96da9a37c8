import pytest

from tests.fuzz import trial
from tests.fuzz.trial import find_target, try_target

pytestmark = pytest.mark.slow

WORDS = {
    "by accident": "not raised on purpose",
    "lines": "must be a sentence",
    "traceback": "KeyError: 'NO_SUCH_NAME'",
    "warning": "RuntimeWarning: divide by zero",
    "memory": "it took 0.2 GB of memory",
}


def test_every_fault_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST_MEMORY_KIB", 100 << 10)
    target = find_target("faulty:manners")
    kinds = [target.input(4, index).decode() for index in range(10)]
    faults = {fault.index: fault.text for fault in try_target("faulty:manners", count=10, seed=4)}
    assert set(WORDS) <= set(kinds)
    assert list(faults) == [index for index, kind in enumerate(kinds) if kind in WORDS]
    assert all(WORDS[kinds[index]] in text for index, text in faults.items())


def test_a_reader_that_ends_the_process_is_a_fault() -> None:
    (fault,) = try_target("faulty:crash", count=3, first=40)
    assert fault.index == 40
    assert "Aborted" in fault.text


def test_a_reader_that_hangs_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LONGEST_S", 0.5)
    (fault,) = try_target("faulty:hang", count=3)
    assert fault.index == 0
    assert "Timeout" in fault.text


def test_inputs_are_reproducible() -> None:
    target = find_target("calibrations:camera_info")
    assert target.input(3, 5) == target.input(3, 5)
    assert len({target.input(3, index) for index in range(50)}) > 40
