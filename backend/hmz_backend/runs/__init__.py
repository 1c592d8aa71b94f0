"""Runs: created from a plan, driven block by block, joined, and continued after a restart."""
