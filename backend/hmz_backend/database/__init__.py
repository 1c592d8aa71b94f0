"""What must survive a restart: volumes, runs, finished blocks, numbered events."""
