"""Training of the model packages that ship with the project; not part of any installed package."""
