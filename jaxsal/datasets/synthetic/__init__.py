"""The embedded set: actors who move in rooms, rendered in the infrared and in the visible spectrum."""

from jaxsal.datasets.synthetic.scenes import ACTION_PAIRS as ACTION_PAIRS
from jaxsal.datasets.synthetic.scenes import ACTIONS as ACTIONS
from jaxsal.datasets.synthetic.scenes import Scene as Scene
from jaxsal.datasets.synthetic.scenes import actor_mask as actor_mask
from jaxsal.datasets.synthetic.scenes import render_clip as render_clip
from jaxsal.datasets.synthetic.scenes import render_scene as render_scene
from jaxsal.datasets.synthetic.scenes import synthetic_actions as synthetic_actions
