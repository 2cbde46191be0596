"""Networks, their training, and the checkpoints that it leaves."""
