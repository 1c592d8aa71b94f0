"""How a caller is known: one kind of credential per module, asked in a chain."""
