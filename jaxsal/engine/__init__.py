"""The one road from clips to scores: inputs, baselines, mask families and the compiled loop."""
