"""The names that options take, and arrays beside them."""

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

Method = Literal["gradcam", "rise", "sidu"]
Measure = Literal["deletion", "insertion"]
Precision = Literal["float32", "bfloat16"]
ChunkSize = int | Literal["auto"]
MaskCount = int | Literal["settled"]
RecipeName = Literal["default", "icpr2022", "canonical"]

Alignment = Literal["corners", "centers", "mirror"]
BaselineName = Literal["zero", "mean", "blur", "gaussian", "time_mean", "first_frame", "reverse"]
Sampling = Literal["independent", "stratified", "sobol"]
TemporalCell = Literal["own", "spatial"]
FrameSlices = Literal["aligned", "modulo"]
Estimator = Literal["mean", "centered", "ridge"]
ScoreKind = Literal["probabilities", "softmax", "sigmoid", "logits", "given"]
Ties = Literal["random", "first", "last"]
Area = Literal["fractions", "steps"]
Approximation = Literal["none", "refine"]


@runtime_checkable
class ArrayLike(Protocol):
    """An array of NumPy or JAX."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""


Baseline = BaselineName | ArrayLike | float | Mapping[str, ArrayLike | float]
