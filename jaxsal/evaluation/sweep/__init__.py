"""Sweeps: grids of checkpoints, clips, spectra, methods and options, over many devices and machines."""

from jaxsal.evaluation.sweep.results import Results, open_results

__all__ = ["Results", "open_results"]
