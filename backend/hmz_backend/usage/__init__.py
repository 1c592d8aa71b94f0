"""The ledger: who has had how much of the backend, by day, model and group."""
