"""Moments: images of several cameras, matched by their stamps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.views.moments import PATIENCE_NS, SILENCE_NS, MomentMatcher

MS = 1_000_000
Moments = list[dict[str, int]]


def match(
    images: list[tuple[str, int]], tolerance_ms: int = 20, cameras: str = "ab"
) -> tuple[Moments, Moments]:
    """Return the moments (stamps in ms by camera) before the end, and those at the end."""
    matcher: MomentMatcher[int] = MomentMatcher(list(cameras), tolerance_ms * MS)
    found: Moments = []
    for camera, stamp_ms in images:
        matcher.add(camera, stamp_ms * MS, stamp_ms)
        found += [{name: each.view for name, each in m.items()} for m in matcher.take()]
    rest = matcher.take(final=True)
    return found, [{name: each.view for name, each in m.items()} for m in rest]


def test_a_moment_is_over_with_its_last_image() -> None:
    images = [("a", 0), ("b", 12), ("b", 45), ("a", 33)]
    assert match(images) == ([{"a": 0, "b": 12}, {"a": 33, "b": 45}], [])


def test_the_tolerance_is_the_largest_difference() -> None:
    assert match([("a", 0), ("b", 20)]) == ([{"a": 0, "b": 20}], [])
    assert match([("a", 0), ("b", 21)]) == ([{"a": 0}], [{"b": 21}])


def test_a_lost_image_leaves_its_moment_to_the_others() -> None:
    images = [("a", 0), ("b", 1), ("a", 33), ("a", 66), ("b", 67)]
    assert match(images) == ([{"a": 0, "b": 1}, {"a": 33}, {"a": 66, "b": 67}], [])


def test_a_camera_that_falls_behind_is_waited_for_in_vain_for_a_while_only() -> None:
    patience, silence = PATIENCE_NS // MS, SILENCE_NS // MS
    images = [("a", 0), ("b", 0), *(("a", t) for t in range(100, silence + 500, 100))]
    found, rest = match(images)
    assert found[0] == {"a": 0, "b": 0}
    waiting = [moment["a"] for moment in rest]
    assert waiting == []  # b is silent: nothing waits any more
    first = [("a", t) for t in range(100, patience + 100, 100)]
    assert match([("a", 0), ("b", 0), *first])[0] == [{"a": 0, "b": 0}]


def test_an_image_that_comes_after_its_moment_is_left_out() -> None:
    late = PATIENCE_NS // MS + 40
    images = [("b", 0), ("a", 1), ("a", 34), ("a", 34 + late), ("b", 35), ("b", 34 + late)]
    found, rest = match(images)
    assert found == [{"b": 0, "a": 1}, {"a": 34}, {"a": 34 + late, "b": 34 + late}]
    assert rest == []


def test_an_image_that_its_moment_outlasts_is_left_out() -> None:
    images = [("a", 55), ("b", 65), ("a", 60), ("a", 100), ("b", 101)]
    expected = [{"a": 55, "b": 65}, {"a": 100, "b": 101}]
    assert match(images, 16) == (expected, [])
    overtaken = [("a", 55), ("a", 60), ("b", 65), ("a", 100), ("b", 101)]
    assert match(overtaken, 16) == (expected, [])


@given(seed=st.integers(0, 2**31), tolerance_ms=st.integers(0, 40))
def test_the_last_stamps_of_moments_rise(seed: int, tolerance_ms: int) -> None:
    """Even where images of a camera are closer together than the tolerance."""
    rng = np.random.default_rng(seed)
    images = [
        (name, int(stamp_ms)) for name in "abc" for stamp_ms in np.cumsum(rng.integers(1, 40, 12))
    ]
    found, rest = match(sorted(images, key=lambda each: each[1]), tolerance_ms, "abc")
    lasts = [max(moment.values()) for moment in [*found, *rest]]
    assert (np.diff(lasts) > 0).all()


def test_useless_images_only_tell_the_time() -> None:
    matcher: MomentMatcher[int] = MomentMatcher(["a", "b"], 20 * MS)
    matcher.add("a", 0, 0)
    assert matcher.take() == []
    matcher.add("b", 25 * MS, None)
    assert [list(moment) for moment in matcher.take()] == [["a"]]


def test_a_rewound_bag_starts_anew() -> None:
    images = [("a", 5000), ("b", 5001), ("a", 5033), ("a", 0), ("b", 1)]
    assert match(images) == ([{"a": 5000, "b": 5001}, {"a": 0, "b": 1}], [])


@given(seed=st.integers(0, 2**31), cameras=st.integers(1, 4))
def test_moments_do_not_depend_on_how_images_overtake_each_other(seed: int, cameras: int) -> None:
    """Images of one camera come in order; those of others up to 0.1 s later, some never."""
    rng = np.random.default_rng(seed)
    names = "abcd"[:cameras]
    images = [
        (name, 1000 + round(33.3 * k + offset + rng.uniform(0, 4)))
        for name, offset in zip(names, rng.uniform(0, 10, cameras), strict=True)
        for k in range(12)
        if rng.random() < 0.8
    ]
    in_order = sorted(images, key=lambda each: (each[1], each[0]))
    delays = dict(zip(names, rng.uniform(0, 100, cameras), strict=True))
    as_received = sorted(images, key=lambda each: each[1] + delays[each[0]])
    expected, received = (
        [*a, *b] for a, b in (match(each, 15, names) for each in (in_order, as_received))
    )
    assert expected == received
    shown = [(name, stamp) for moment in expected for name, stamp in moment.items()]
    assert sorted(shown) == sorted(images)
    for moment in expected:
        assert max(moment.values()) - min(moment.values()) <= 15
    starts = [min(moment.values()) for moment in expected]
    assert starts == sorted(starts)
