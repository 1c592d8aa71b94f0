"""Benchmarks: each prints its figure as a ratio measured in one run, beside its bar."""
