"""Clips: decoding, sampling, and sets of them."""
