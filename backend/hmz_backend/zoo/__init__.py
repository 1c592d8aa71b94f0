"""The zoo: model packages read, checked, described as cards, and laid out for Triton."""
