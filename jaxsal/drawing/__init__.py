"""Pictures of clips and maps, and figures of curves, from arrays alone."""
