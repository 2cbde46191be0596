"""Sweeps: grids of checkpoints, clips, spectra, methods and options, over many devices and machines."""
