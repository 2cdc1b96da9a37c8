"""Compares the weights of two networks."""

import torch


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    """Check that two networks have the same arrays, bit by bit, in the same order."""
    expected = other.state_dict()
    assert list(one.state_dict()) == list(expected)
    for key, values in one.state_dict().items():
        assert torch.equal(values, expected[key]), key
