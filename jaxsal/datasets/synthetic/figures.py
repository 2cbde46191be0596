"""The articulated figure of the synthetic clips: a skeleton of joints, dressed in capsules."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.synthetic.rendering import Capsules, muted_colour

THIGH, SHIN, ANKLE, TORSO, UPPER_ARM, FOREARM, HAND = 0.245, 0.235, 0.04, 0.29, 0.18, 0.15, 0.055  # of the stature
SIDES = np.array([1.0, -1.0])  # left, right


class Actor(NamedTuple):
    """One person: a body, a manner of moving, and what he wears."""

    stature: float  # metres
    build: float  # thickness of body and limbs; 1 is average
    shoulders: float  # half the shoulders' width, of the stature
    reach: float  # how far the actions go; 1 is average
    lean: float  # of the standing torso, radians
    elbow: float  # bend of the relaxed elbow, radians
    strides: float  # strides (of two steps) in one walk
    tempo: float  # above 1 the first half of an action is the slow one
    skin: Float[np.ndarray, "3"]
    hair: Float[np.ndarray, "3"]
    shirt: Float[np.ndarray, "3"]
    trousers: Float[np.ndarray, "3"]
    long_sleeves: bool
    shirt_warmth: float  # degrees Celsius of its surface
    trousers_warmth: float


class Performance(NamedTuple):
    """Where and how one action is performed, and how it is filmed."""

    position: Float[np.ndarray, "2"]  # on the floor, metres
    yaw: float  # radians from facing the stage's front, to the left
    manner: float  # in [0, 1): the foot that the walk starts with, which arm leads
    start: float  # in [0, 1): the part of the action that has passed when the clip begins
    aim: Float[np.ndarray, "2"]  # metres to the right and up from the stage's middle: where the camera looks


class Pose(NamedTuple):
    """T poses: metres and radians in the figure's own sagittal plane; last axis: left, right."""

    forward: Float[np.ndarray, " T"]  # of the hips, from the figure's place
    height: Float[np.ndarray, " T"]  # of the hips
    lean: Float[np.ndarray, " T"]
    flexion: Float[np.ndarray, "T 2"]  # of the upper arm: 0 hangs down, pi / 2 points forward
    abduction: Float[np.ndarray, "T 2"]  # of the arm: 0 hangs down, pi / 2 points sideways, pi up
    elbow: Float[np.ndarray, "T 2"]
    ankle_forward: Float[np.ndarray, "T 2"]  # from the figure's place
    ankle_height: Float[np.ndarray, "T 2"]


class _Joints(NamedTuple):
    """Points in the world: (T, 3), or (T, 2, 3) for pairs, left and right."""

    pelvis: np.ndarray
    chest: np.ndarray
    throat: np.ndarray
    chin: np.ndarray
    crown: np.ndarray
    nape: np.ndarray
    hips: np.ndarray
    knees: np.ndarray
    ankles: np.ndarray
    toes: np.ndarray
    shoulders: np.ndarray
    elbows: np.ndarray
    wrists: np.ndarray
    fingers: np.ndarray


def make_actor(rng: np.random.Generator) -> Actor:
    """Draws a person."""
    complexion = rng.uniform(0.35, 0.85)
    return Actor(
        stature=rng.uniform(1.62, 1.86),
        build=rng.uniform(0.95, 1.25),
        shoulders=rng.uniform(0.105, 0.125),
        reach=rng.uniform(0.92, 1.06),
        lean=rng.uniform(0.0, 0.1),
        elbow=rng.uniform(0.1, 0.4),
        strides=rng.uniform(0.95, 1.25),
        tempo=float(np.exp(rng.uniform(-0.15, 0.15))),
        skin=complexion * np.array([0.95, 0.74, 0.6]),
        hair=rng.uniform(0.05, 0.6) * np.array([1.0, 0.75, 0.5]),
        shirt=_cloth(rng),
        trousers=_cloth(rng),
        long_sleeves=bool(rng.random() < 0.5),
        shirt_warmth=_warmth(rng),
        trousers_warmth=_warmth(rng),
    )


def _cloth(rng):
    """A colour well above or well below the brightness of walls."""
    return rng.choice([0.12, 1.0]) * (0.75 + 0.25 * muted_colour(rng))


def _warmth(rng):
    """Degrees of cloth well above or, out of the cold, well below those of walls."""
    return rng.uniform(30.0, 33.0) if rng.random() < 0.5 else rng.uniform(15.0, 19.0)


def make_performance(rng: np.random.Generator) -> Performance:
    """Draws where and how an action is performed: on the stage, facing its front, anywhere in the picture."""
    return Performance(
        position=rng.uniform(-0.1, 0.1, 2),
        yaw=rng.uniform(-0.4, 0.4),
        manner=rng.random(),
        start=rng.random(),
        aim=rng.uniform([-0.8, -0.3], [0.8, 0.4]),
    )


def body(pose: Pose, actor: Actor, performance: Performance) -> Capsules:
    """The actor's body in the given poses, where it is performed."""
    return _dress(_joints(pose, actor, performance), actor)


def _joints(pose, actor, performance):
    """Where the joints of each pose are in the world."""
    size = actor.stature
    sine, cosine = np.sin(performance.yaw), np.cos(performance.yaw)
    ahead, left, up = np.array([[sine, -cosine, 0.0], [cosine, sine, 0.0], [0.0, 0.0, 1.0]])
    place = np.array([*performance.position, 0.0])
    sideways = SIDES[:, None] * left

    def along(forward, height):  # in the sagittal plane
        return np.asarray(forward)[..., None] * ahead + np.asarray(height)[..., None] * up

    def arm(flexion):
        sagittal = along(np.sin(flexion), -np.cos(flexion))
        return np.cos(pose.abduction)[..., None] * sagittal + np.sin(pose.abduction)[..., None] * sideways

    pelvis = place + along(pose.forward, pose.height)
    spine = along(np.sin(pose.lean), np.cos(pose.lean))
    gaze = along(np.sin(0.85 * pose.lean), np.cos(0.85 * pose.lean))
    neck = pelvis + TORSO * size * spine
    crown = neck + 0.125 * size * gaze
    hips = pelvis[:, None] + 0.05 * size * sideways
    ankles = place + along(pose.ankle_forward, pose.ankle_height) + 0.06 * size * sideways
    knees, ankles = _leg(hips, ankles, ahead, size)
    shoulders = (neck - 0.025 * size * spine)[:, None] + actor.shoulders * size * sideways
    elbows = shoulders + UPPER_ARM * size * arm(pose.flexion)
    forearm = size * arm(pose.flexion + pose.elbow)
    return _Joints(
        pelvis=pelvis,
        chest=neck - 0.06 * size * spine,
        throat=neck - 0.03 * size * spine,
        chin=neck + 0.075 * size * gaze,
        crown=crown,
        nape=crown - along(0.025 * size, -0.02 * size),
        hips=hips,
        knees=knees,
        ankles=ankles,
        toes=ankles + along(0.1 * size, -0.018 * size),
        shoulders=shoulders,
        elbows=elbows,
        wrists=elbows + FOREARM * forearm,
        fingers=elbows + (FOREARM + HAND) * forearm,
    )


def _leg(hips, ankles, ahead, size):
    """Knees that join hips to ankles, bent forward; an ankle out of reach is drawn in."""
    thigh, shin = THIGH * size, SHIN * size
    down = ankles - hips
    length = np.linalg.norm(down, axis=-1, keepdims=True)
    down = down / length
    length = np.minimum(length, 0.999 * (thigh + shin))
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    front = ahead - (down @ ahead)[..., None] * down
    front = front / np.linalg.norm(front, axis=-1, keepdims=True)
    return hips + along * down + np.sqrt(thigh**2 - along**2) * front, hips + length * down


def _dress(joints, actor):
    """The capsules between the joints, with colours and temperatures: warm skin, clothes of any, cool shoes."""
    shirt, trousers = (actor.shirt, actor.shirt_warmth), (actor.trousers, actor.trousers_warmth)
    sleeve = shirt if actor.long_sleeves else (actor.skin, 32.0)
    shoe, skin, face, hair = (
        (0.4 * actor.trousers, 23.5),
        (actor.skin, 33.0),
        (actor.skin, 35.5),
        (actor.hair, 29.0),
    )
    parts = [  # start, end, their radii (of the stature, for an average build), colour and temperature
        (joints.pelvis, joints.chest, 0.068, 0.078, shirt),
        (*np.moveaxis(joints.shoulders, 1, 0), 0.042, 0.042, shirt),
        (*np.moveaxis(joints.hips, 1, 0), 0.06, 0.06, trousers),
        (joints.throat, joints.chin, 0.032, 0.03, skin),
        (joints.chin, joints.crown, 0.046, 0.055, face),
        (joints.nape, joints.nape, 0.054, 0.054, hair),
    ]
    for side in range(2):
        hip, knee, ankle, toe, shoulder, elbow, wrist, finger = (points[:, side] for points in joints[6:])
        parts += [
            (hip, knee, 0.054, 0.038, trousers),
            (knee, ankle, 0.038, 0.026, trousers),
            (ankle, toe, 0.024, 0.02, shoe),
            (shoulder, elbow, 0.036, 0.029, shirt),
            (elbow, wrist, 0.028, 0.022, sleeve),
            (wrist, finger, 0.024, 0.024, skin),
        ]
    starts, ends, start_radii, end_radii, looks = zip(*parts, strict=True)
    colours, temperatures = zip(*looks, strict=True)
    thickness = actor.stature * actor.build
    return Capsules(
        np.stack(starts, axis=1),
        np.stack(ends, axis=1),
        thickness * np.array(start_radii),
        thickness * np.array(end_radii),
        np.array(colours),
        np.array(temperatures),
    )
