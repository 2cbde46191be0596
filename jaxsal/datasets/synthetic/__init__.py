"""The embedded set: actors who move in rooms, rendered in the infrared and in the visible spectrum."""

from jaxsal.datasets.synthetic.scenes import (
    ACTION_PAIRS as ACTION_PAIRS,
    ACTIONS as ACTIONS,
    Scene as Scene,
    actor_mask as actor_mask,
    render_clip as render_clip,
    render_scene as render_scene,
    synthetic_actions as synthetic_actions,
)
