"""The eight actions of the synthetic clips, as poses over time.

The actions are four pairs; the second of a pair is the first one backwards in time. A clip is a loop that begins
anywhere in its action: from the action's end it starts again. So every pose is as likely in every frame of both
actions of a pair, and no single frame, no mean over frames and no linear function of a clip tells which it is.
"""

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.synthetic.figures import ANKLE, SHIN, SIDES, THIGH, Actor, Performance, Pose, body
from jaxsal.datasets.synthetic.rendering import Capsules

ACTION_PAIRS: tuple[tuple[str, str], ...] = (
    ("sit_down", "stand_up"),
    ("bend_down", "straighten_up"),
    ("raise_arms", "lower_arms"),
    ("walk_forward", "walk_backward"),
)
ACTIONS: tuple[str, ...] = tuple(action for pair in ACTION_PAIRS for action in pair)


def perform(action: str, actor: Actor, performance: Performance, num_frames: int) -> Capsules:
    """The actor's body in each frame of an action."""
    pair, backwards = divmod(ACTIONS.index(action), 2)
    times = (np.arange(num_frames) + 0.5) / num_frames
    phases = loop_phases(times[::-1] if backwards else times, actor, performance)
    pose_of_pair = (_sit, _bend, _raise_arms, _walk)[pair]
    return body(pose_of_pair(phases, actor, performance.manner), actor, performance)


def loop_phases(times: Float[np.ndarray, " T"], actor: Actor, performance: Performance) -> Float[np.ndarray, " T"]:
    """Phase of each frame: from `start` on it rises to 1, and again from 0."""
    return ((performance.start + times) % 1.0) ** actor.tempo


def _standing(phases, actor):
    pair = np.zeros((len(phases), 2))
    return Pose(
        forward=np.zeros(len(phases)),
        height=np.full(len(phases), (ANKLE + 0.985 * (THIGH + SHIN)) * actor.stature),
        lean=np.full(len(phases), actor.lean),
        flexion=pair,
        abduction=pair + 0.15,
        elbow=pair + actor.elbow,
        ankle_forward=pair,
        ankle_height=pair + ANKLE * actor.stature,
    )


def _ease(phases):
    return 0.75 * phases + 0.25 * phases**2 * (3 - 2 * phases)


def _sit(phases, actor, manner):
    standing, done = _standing(phases, actor), _ease(phases) * actor.reach
    return standing._replace(
        forward=-0.95 * THIGH * actor.stature * done,
        height=standing.height - 0.9 * THIGH * actor.stature * done,
        lean=actor.lean + 0.2 * np.sin(np.pi * phases),
        flexion=standing.flexion + 1.1 * done[:, None],
        elbow=standing.elbow + 0.3 * done[:, None],
    )


def _bend(phases, actor, manner):
    standing, done = _standing(phases, actor), _ease(phases) * actor.reach
    lead = 1.0 + 0.15 * SIDES * np.cos(2 * np.pi * manner)
    return standing._replace(
        forward=-0.09 * actor.stature * done,
        height=standing.height - 0.07 * actor.stature * done,
        lean=actor.lean + 1.7 * done,
        flexion=standing.flexion + 0.45 * done[:, None] * lead,
        elbow=standing.elbow * (1 - 0.5 * done[:, None]),
    )


def _raise_arms(phases, actor, manner):
    standing, done = _standing(phases, actor), _ease(phases) * actor.reach
    lead = 1.0 - 0.06 * np.maximum(SIDES * np.cos(2 * np.pi * manner), 0.0)
    return standing._replace(
        abduction=standing.abduction + 2.65 * done[:, None] * lead,
        elbow=standing.elbow * (1 - 0.6 * done[:, None]),
    )


def _walk(phases, actor, manner):
    standing, leg = _standing(phases, actor), (THIGH + SHIN) * actor.stature
    travel = 0.8 * actor.stature * actor.reach
    cycle = (actor.strides * phases[:, None] + manner + np.array([0.0, 0.5])) % 1.0
    swing = np.clip((cycle - 0.6) / 0.4, 0.0, 1.0)  # a foot rests for 0.6 of its cycle, then swings ahead
    step = np.where(cycle < 0.6, 0.3 - cycle, 0.6 * swing**2 * (3 - 2 * swing) - 0.3)
    hips = travel * (phases - 0.5)
    return standing._replace(
        forward=hips,
        height=standing.height - leg * (0.05 + 0.015 * np.cos(4 * np.pi * cycle[:, 0])),
        lean=standing.lean + 0.06,
        flexion=-0.55 * np.cos(2 * np.pi * cycle),
        elbow=standing.elbow + 0.2,
        ankle_forward=hips[:, None] + travel / actor.strides * step,
        ankle_height=standing.ankle_height + 0.09 * actor.stature * np.sin(np.pi * swing),
    )
