"""Measures of saliency maps: deletion and insertion."""
