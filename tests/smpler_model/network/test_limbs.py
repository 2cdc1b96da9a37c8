"""Limbs as slices: what is taken is what is put back."""

import torch

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.network.limbs import LIMB_ROWS, add_to_limbs, joints_of, put_limbs, take_limbs


def test_limbs_are_taken_left_before_right() -> None:
    rows = torch.arange(24)[None, :, None]
    taken = take_limbs(rows, ("wrist", "hip")).flatten().tolist()
    assert [SMPL_JOINTS[row] for row in taken] == [
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
    ]
    assert tuple(taken) == joints_of(("wrist", "hip"))


def test_only_the_limbs_that_are_put_change() -> None:
    values = torch.randn(3, 24, 2)
    new = torch.randn(3, 2, 2)
    put = put_limbs(values, {"knee": new, "shoulder": -new})
    assert torch.equal(take_limbs(put, ("knee", "shoulder")), torch.cat((new, -new), 1))
    others = [row for row in range(24) if row not in joints_of(("knee", "shoulder"))]
    assert torch.equal(put[:, others], values[:, others])


def test_addition_leaves_rows_beyond_the_joints_alone() -> None:
    queries, more = torch.randn(2, 26, 4), torch.randn(2, 12, 4)
    added = add_to_limbs(queries, more)
    expected = queries.clone()
    expected[:, list(LIMB_ROWS)] += more
    assert torch.equal(added, expected)
