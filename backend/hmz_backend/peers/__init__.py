"""Several server processes as one backend: which of them leads, how others pass on to it."""
