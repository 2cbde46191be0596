"""What makes convolutions fast on a CPU. Nothing outside of this room knows more of it than `fast_convolution`."""
