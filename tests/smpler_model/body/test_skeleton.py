from smpler_model.body import skeleton


def test_tree_has_a_parent_before_every_joint_but_the_pelvis() -> None:
    assert len(skeleton.SMPL_JOINTS) == len(skeleton.SMPL_PARENTS) == 24
    assert skeleton.SMPL_PARENTS[0] == -1
    assert all(0 <= parent < child for child, parent in enumerate(skeleton.SMPL_PARENTS) if child)


def test_left_and_right_joints_have_mirrored_parents() -> None:
    def mirrored(name: str) -> str:
        sides = {"left": "right", "right": "left"}
        side, _, rest = name.partition("_")
        return f"{sides[side]}_{rest}" if side in sides else name

    names = skeleton.SMPL_JOINTS
    parent = {names[child]: names[p] for child, p in enumerate(skeleton.SMPL_PARENTS) if p >= 0}
    assert {mirrored(child): mirrored(p) for child, p in parent.items()} == parent


def test_evaluated_joints_have_one_name_in_both_orders() -> None:
    regressed = [skeleton.H36M_JOINTS[row] for row in skeleton.H36M_EVALUATED]
    labelled = [skeleton.LABELLED_JOINTS[row] for row in skeleton.LABELLED_EVALUATED]
    assert regressed == labelled
    assert skeleton.H36M_JOINTS[skeleton.H36M_PELVIS] == "pelvis"


def test_landmarks_are_distinct_vertices() -> None:
    vertices = skeleton.VERTEX_LANDMARKS.values()
    assert len(set(vertices)) == 21
    assert all(0 <= vertex < skeleton.SMPL_VERTEX_COUNT for vertex in vertices)
