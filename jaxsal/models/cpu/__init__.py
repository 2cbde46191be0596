"""What makes convolutions fast on a CPU."""
