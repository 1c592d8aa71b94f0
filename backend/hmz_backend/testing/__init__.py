"""Fakes and contract tests of the seams, shipped for whoever writes another implementation."""
