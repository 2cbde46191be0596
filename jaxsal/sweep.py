"""A sweep's results, by their public name."""

from jaxsal.evaluation.sweep.results import open_results

__all__ = ["open_results"]
