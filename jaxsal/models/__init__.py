"""Networks, and their weights from where users have them."""

from jaxsal.models.fused import StackedChannels, TwoStream
from jaxsal.models.i3d import I3D
from jaxsal.models.initialise import init_variables
from jaxsal.models.pan import PAN, ScoreAverage, pan_from_resnet50
from jaxsal.models.resnet import ResNet50
from jaxsal.models.resnet3d import ResNet3D18
from jaxsal.models.torch.weights import load_torch, variables_from_torch, variables_to_torch
from jaxsal.models.videomae import VideoMAE

__all__ = [
    "I3D",
    "PAN",
    "ResNet3D18",
    "ResNet50",
    "ScoreAverage",
    "StackedChannels",
    "TwoStream",
    "VideoMAE",
    "init_variables",
    "load_torch",
    "pan_from_resnet50",
    "variables_from_torch",
    "variables_to_torch",
]
