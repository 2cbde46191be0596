"""Names of published torch checkpoints: where each tensor of a network lies in this project's variables."""

from jaxsal.models.i3d import BRANCHES, MIXED, STEM

VariablePath = tuple[str, ...]  # collection, modules, parameter: ("params", "layer1_0", "conv1", "kernel")
VariablePaths = dict[str, VariablePath]  # by torch name

OTHER_NAMES = (  # and those of the layouts: I3D of Y. Hasson, VideoMAE of transformers before version 5
    (".attention.q_bias", ".attention.query.bias"),
    (".attention.v_bias", ".attention.value.bias"),
    ("conv3d_0c_1x1.", "logits."),
    ("conv3d_1a", "Conv3d_1a"),
    ("conv3d_2", "Conv3d_2"),
    ("mixed_", "Mixed_"),
    (".branch_0.", ".b0."),
    (".branch_1.0.", ".b1a."),
    (".branch_1.1.", ".b1b."),
    (".branch_2.0.", ".b2a."),
    (".branch_2.1.", ".b2b."),
    (".branch_3.1.", ".b3b."),
    (".batch3d.", ".bn."),
)
RESNET50_BLOCKS = {1: 3, 2: 4, 3: 6, 4: 3}  # by layer


def resnet3d18_paths(*, factored: bool = False) -> VariablePaths:
    """Names of torchvision's `r3d_18` and `mc3_18`; `factored` those of `r2plus1d_18`."""
    if factored:
        paths = _factored_paths("stem", "stem_conv") | _batch_norm_paths("stem.4", "stem_norm")
    else:
        paths = _conv_paths("stem.0", "stem_conv") | _batch_norm_paths("stem.1", "stem_norm")
    conv_paths = _factored_paths if factored else _conv_paths
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            ours, theirs = f"layer{layer}_{block}", f"layer{layer}.{block}"
            for number in (1, 2):
                paths |= conv_paths(f"{theirs}.conv{number}.0", ours, f"conv{number}")
                paths |= _batch_norm_paths(f"{theirs}.conv{number}.1", ours, f"norm{number}")
            if layer > 1 and block == 0:
                paths |= _conv_paths(f"{theirs}.downsample.0", ours, "shortcut_conv")
                paths |= _batch_norm_paths(f"{theirs}.downsample.1", ours, "shortcut_norm")
    return paths | _linear_paths("fc", "fc")


def resnet50_paths() -> VariablePaths:
    """Names of torchvision's `resnet50`."""
    return _backbone_paths() | _linear_paths("fc", "fc")


def common_name(name: str) -> str:
    """A tensor's name in the layouts' own terms, where ports of one network name it in several ways."""
    for theirs, ours in OTHER_NAMES:
        name = name.replace(theirs, ours)
    return name


def i3d_paths() -> VariablePaths:
    """Names of the PyTorch port by A. Piergiovanni, `rgb_imagenet.pt`."""
    units = {name: name for name in STEM}
    units |= {f"{block}.{branch}": f"{block}/{branch}" for block in MIXED for branch in BRANCHES}
    paths = _linear_paths("logits.conv3d", "fc")
    for theirs, ours in units.items():
        modules = ("backbone", *ours.split("/"))
        paths |= _conv_paths(f"{theirs}.conv3d", *modules) | _batch_norm_paths(f"{theirs}.bn", *modules, "norm")
    return paths


def videomae_paths(depth: int, *, bias: bool, mean_pooling: bool) -> VariablePaths:
    """Names of Hugging Face's `VideoMAEForVideoClassification`; `bias` of queries and values."""
    paths = _linear_paths("videomae.embeddings.patch_embeddings.projection", "patches")
    for number in range(depth):
        theirs, ours = f"videomae.encoder.layer.{number}", f"layer_{number}"
        for name in ("query", "key", "value"):
            kind = _linear_paths if bias and name != "key" else _conv_paths
            paths |= kind(f"{theirs}.attention.attention.{name}", ours, name)
        for name, inner in (("attention.output", "out"), ("intermediate", "mlp1"), ("output", "mlp2")):
            paths |= _linear_paths(f"{theirs}.{name}.dense", ours, inner)
        paths |= _layer_norm_paths(f"{theirs}.layernorm_before", ours, "norm1")
        paths |= _layer_norm_paths(f"{theirs}.layernorm_after", ours, "norm2")
    theirs, ours = ("fc_norm", "fc_norm") if mean_pooling else ("videomae.layernorm", "last_norm")
    return paths | _layer_norm_paths(theirs, ours) | _linear_paths("classifier", "fc")


def pan_paths(variant: str) -> VariablePaths:
    """Names of PAN's authors, for "lite", "rgb" or "pa"."""
    paths = _backbone_paths("base_model.", first_conv="conv1.net")  # .net: the shift wraps the convolution
    if variant != "rgb":
        paths["PA.shallow_conv.weight"] = ("params", "pa", "conv", "kernel")
        paths["PA.shallow_conv.bias"] = ("params", "pa", "conv", "bias")
    paths |= _conv_paths("base_model.fc.TES.0", "vap", "tes1") | _conv_paths("base_model.fc.TES.2", "vap", "tes2")
    return paths | _linear_paths("base_model.fc.pred", "fc")


def _backbone_paths(prefix: str = "", *, first_conv: str = "conv1") -> VariablePaths:
    paths = _conv_paths(f"{prefix}conv1", "backbone", "conv1") | _batch_norm_paths(f"{prefix}bn1", "backbone", "norm1")
    for layer, num_blocks in RESNET50_BLOCKS.items():
        for block in range(num_blocks):
            ours, theirs = ("backbone", f"layer{layer}_{block}"), f"{prefix}layer{layer}.{block}"
            for number, conv in enumerate((first_conv, "conv2", "conv3"), start=1):
                paths |= _conv_paths(f"{theirs}.{conv}", *ours, f"conv{number}")
                paths |= _batch_norm_paths(f"{theirs}.bn{number}", *ours, f"norm{number}")
            if block == 0:
                paths |= _conv_paths(f"{theirs}.downsample.0", *ours, "shortcut_conv")
                paths |= _batch_norm_paths(f"{theirs}.downsample.1", *ours, "shortcut_norm")
    return paths


def _conv_paths(torch_name: str, *modules: str) -> VariablePaths:
    """Of a layer without bias."""
    return {f"{torch_name}.weight": ("params", *modules, "kernel")}


def _factored_paths(torch_name: str, *modules: str) -> VariablePaths:
    """Of a convolution over space, batch norm, ReLU and a convolution over time."""
    paths = _conv_paths(f"{torch_name}.0", *modules, "space") | _conv_paths(f"{torch_name}.3", *modules, "time")
    return paths | _batch_norm_paths(f"{torch_name}.1", *modules, "norm")


def _linear_paths(torch_name: str, *modules: str) -> VariablePaths:
    return _conv_paths(torch_name, *modules) | {f"{torch_name}.bias": ("params", *modules, "bias")}


def _layer_norm_paths(torch_name: str, *modules: str) -> VariablePaths:
    return {f"{torch_name}.weight": ("params", *modules, "scale"), f"{torch_name}.bias": ("params", *modules, "bias")}


def _batch_norm_paths(torch_name: str, *modules: str) -> VariablePaths:
    return {
        f"{torch_name}.weight": ("params", *modules, "scale"),
        f"{torch_name}.bias": ("params", *modules, "bias"),
        f"{torch_name}.running_mean": ("batch_stats", *modules, "mean"),
        f"{torch_name}.running_var": ("batch_stats", *modules, "var"),
    }
