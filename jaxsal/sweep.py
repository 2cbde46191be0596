"""A sweep's results, by their public name."""

from jaxsal.evaluation.results import Results, open_results

__all__ = ["Results", "open_results"]
