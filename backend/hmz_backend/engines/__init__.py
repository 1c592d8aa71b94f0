"""What computes tiles: the embedded engine, Triton, and the Triton that we can start ourselves."""
