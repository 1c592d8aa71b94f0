"""Fakes and contract tests for the seams of the core: shipped, for the tests of others too."""
