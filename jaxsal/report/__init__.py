"""Tables, curves and overlays as files."""
