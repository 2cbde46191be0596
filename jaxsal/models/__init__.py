"""Networks, and their weights from where users have them."""

from jaxsal.models.initialise import init_variables
from jaxsal.models.resnet3d import ResNet3D18
from jaxsal.models.torch_weights import load_torch, variables_from_torch, variables_to_torch

__all__ = ["ResNet3D18", "init_variables", "load_torch", "variables_from_torch", "variables_to_torch"]
