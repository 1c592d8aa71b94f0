"""The queue in front of the engine: small windows, priorities, patience."""
