"""A small BVH file of a figure with limbs that stands, and then has its left arm ahead."""

from pathlib import Path

_NAMES = {
    "cmu": (
        "LeftUpLeg",
        "LeftLeg",
        "LeftFoot",
        "LeftShoulder",
        "LeftArm",
        "LeftForeArm",
        "LeftHand",
    ),
    "daz": ("lThigh", "lShin", "lFoot", "lCollar", "lShldr", "lForeArm", "lHand"),
    "plain": (
        "LeftHip",
        "LeftKnee",
        "LeftAnkle",
        "LeftCollar",
        "LeftShoulder",
        "LeftElbow",
        "LeftWrist",
    ),
}
FRAME_S = 0.25
ARM = 7  # joints: root, then three of the left leg, then collar and shoulder of the left arm


def _other(name: str) -> str:
    return name.replace("Left", "Right") if "Left" in name else "r" + name[1:]


def write_motion(path: Path, scheme: str = "cmu", frames: int = 8) -> Path:
    """Write a T pose and then, in half of the frames, the left arm turned ahead; centimetres."""
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0"]
    lines += ["CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"]
    count, arm = 1, 0
    for sign in (1, -1):
        hip, knee, ankle, collar, shoulder, elbow, wrist = (
            name if sign > 0 else _other(name) for name in _NAMES[scheme]
        )
        for chain in (
            ((hip, (7 * sign, -9, 0)), (knee, (3 * sign, -38, 0)), (ankle, (0, -40, 0))),
            (
                *((collar, (2 * sign, 40, 0)), (shoulder, (16 * sign, 0, 0))),
                *((elbow, (26 * sign, 0, 0)), (wrist, (25 * sign, 0, 0))),
            ),
        ):
            for name, offset in chain:
                lines += [f"JOINT {name}", "{", f"OFFSET {offset[0]} {offset[1]} {offset[2]}"]
                lines += ["CHANNELS 3 Zrotation Xrotation Yrotation"]
                if name == shoulder and sign > 0:
                    arm = count
                count += 1
            lines += ["End Site", "{", "OFFSET 0 -5 0", "}"] + ["}"] * len(chain)
    lines += ["}", "MOTION", f"Frames: {frames}", f"Frame Time: {FRAME_S}"]
    for frame in range(frames):
        numbers = [0.0] * (3 + 3 * count)
        numbers[1] = 90.0
        if frame >= frames // 2:
            numbers[3 + 3 * arm + 2] = -90.0  # about y
        lines.append(" ".join(f"{number:g}" for number in numbers))
    path.write_text("\n".join(lines) + "\n")
    return path
