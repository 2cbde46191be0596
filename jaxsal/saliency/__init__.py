"""Saliency methods: Grad-CAM, RISE and SIDU in three dimensions."""
