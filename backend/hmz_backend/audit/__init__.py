"""The audit trail: who did what, when, and how it ended; nothing of it can be changed unseen."""
