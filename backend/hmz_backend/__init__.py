"""The gateway to NVIDIA Triton: identity, staging, planning, queue, stitching."""
