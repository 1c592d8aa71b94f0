"""The wire, one module per resource; no logic here."""
