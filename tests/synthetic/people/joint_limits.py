"""Limits of human joints."""

import math

from smpler_model.body.skeleton import SMPL_JOINTS

_DEGREES = {
    "pelvis": 180,
    "hip": 135,
    "spine1": 50,
    "spine2": 50,
    "spine3": 50,
    "knee": 150,
    "ankle": 60,
    "foot": 30,
    "neck": 60,
    "collar": 45,
    "head": 60,
    "shoulder": 180,
    "elbow": 150,
    "wrist": 85,
    "hand": 45,
}
JOINT_LIMITS = tuple(math.radians(_DEGREES[name.split("_")[-1]]) for name in SMPL_JOINTS)
"""Largest angle of each joint from its rest, rad."""
