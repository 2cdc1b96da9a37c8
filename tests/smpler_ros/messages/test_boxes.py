"""Boxes of people as sent by various detectors."""

from types import SimpleNamespace

import numpy as np
import pytest

from smpler_model.cameras.messages import Message
from smpler_ros.messages.boxes import BoxReader

NAN = float("nan")
SIZE = (320, 240)


class Bench:
    """A reader whose clock advances by a second per message, and its warnings."""

    def __init__(self, *labels: str) -> None:
        self.heard: list[str] = []
        self.now = 0.0
        self.reader = BoxReader(labels or ("person", "0"), self.heard.append, lambda: self.now)

    def boxes(self, *detections: Message) -> list[list[float]]:
        self.now += 1
        message = SimpleNamespace(detections=list(detections))
        return [list(each) for each in self.reader.read(message, SIZE).boxes_xyxy]


def box(
    label: str | None = "person",
    score: float = 0.9,
    *,
    centre: tuple[float, float] = (100.0, 80.0),
    size: tuple[float, float] = (20.0, 40.0),
) -> Message:
    hypothesis = SimpleNamespace(class_id=label, score=score)
    results = [] if label is None else [SimpleNamespace(hypothesis=hypothesis)]
    position = SimpleNamespace(x=centre[0], y=centre[1])
    bbox = SimpleNamespace(
        center=SimpleNamespace(position=position, theta=0.0), size_x=size[0], size_y=size[1]
    )
    return SimpleNamespace(results=results, bbox=bbox)


@pytest.mark.parametrize("label", ["person", "Person", " person", "PERSON ", "0", "", None])
def test_labels_of_people(label: str | None) -> None:
    bench = Bench()
    assert bench.boxes(box(label)) == [[90, 60, 110, 100]]
    assert bench.heard == []


def test_scores_and_the_best_label() -> None:
    two = box("dog", 0.3)
    two.results += box("person", 0.8).results
    message = SimpleNamespace(detections=[two, box(None), box("person", 0.4)])
    assert Bench().reader.read(message, SIZE).scores.tolist() == [0.8, 1.0, 0.4]


def test_unknown_labels_are_reported_after_a_while() -> None:
    bench = Bench()
    for _ in range(5):
        assert bench.boxes(box("1"), box("car")) == []
    assert bench.heard == []
    for _ in range(10):
        bench.boxes(box("1"), box("Car "))
    (sentence,) = bench.heard
    assert "(0, person) for 5 s, received labels are 1, car; set person_labels" in sentence


def test_other_labels_are_not_reported_beside_people() -> None:
    bench = Bench()
    bench.boxes(box("car"), box("person"))
    for _ in range(10):
        bench.boxes(box("car"))
    assert bench.heard == []


@pytest.mark.parametrize(
    "broken",
    [
        box(centre=(NAN, 80)),
        box(centre=(100, float("inf"))),
        box(size=(NAN, 40)),
        box(size=(0, 40)),
        box(size=(20, -40)),
        box(score=NAN),
    ],
)
def test_invalid_boxes_are_dropped_and_counted(broken: Message) -> None:
    bench = Bench()
    for _ in range(3):
        assert bench.boxes(broken, box()) == [[90, 60, 110, 100]]
    assert bench.reader.left_out == 3
    (sentence,) = bench.heard
    assert "must be finite and have an area, got one of" in sentence


def test_boxes_in_another_resolution_are_reported() -> None:
    bench = Bench()
    for x in np.linspace(100, 500, 5):
        bench.boxes(box(centre=(float(x), 80.0)))
    (sentence,) = bench.heard
    assert "in pixels of the image, 320x240, got one that extends to 410, 100" in sentence


def test_boxes_slightly_over_the_border_are_accepted() -> None:
    bench = Bench()
    bench.boxes(box(centre=(315, 235)))
    assert bench.heard == []


def test_a_long_list_of_labels_is_shortened() -> None:
    bench = Bench()
    for _ in range(8):
        bench.boxes(*(box(f"{index}" + "x" * 1000) for index in range(100)))
    (sentence,) = bench.heard
    assert len(sentence) < 700
