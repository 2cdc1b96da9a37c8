"""Colours of people."""

import numpy as np

from smpler_model.drawing.palette import colours_of


def test_colours_are_stable_and_neighbours_differ() -> None:
    colours = colours_of(np.arange(200))
    assert colours.shape == (200, 3)
    np.testing.assert_array_equal(colours[[5]], colours_of([5]))
    for distance in (1, 2, 3, 4):
        steps = np.abs(colours[distance:].astype(int) - colours[:-distance].astype(int))
        assert steps.max(1).min() > 30


def test_no_ids_give_no_colours() -> None:
    assert colours_of([]).shape == (0, 3)
