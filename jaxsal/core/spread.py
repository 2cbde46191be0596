"""Some of many, evenly spread."""

import numpy as np


def spread(length: int, count: int) -> list[int]:
    """Up to `count` different numbers from 0 to length - 1, evenly spread, the first and the last among them."""
    return np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist()
