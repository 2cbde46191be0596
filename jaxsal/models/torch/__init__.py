"""Weights from PyTorch and to it."""
