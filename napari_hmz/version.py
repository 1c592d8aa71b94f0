"""The version of this distribution: the only copy, read by the build too."""

__version__ = "0.1.0"
