"""The story of a first run, played in the real napari window, with a picture of every step.

`window` is a napari window as a person uses it; what happens in it are `first_act`, `second_act`
and `film_act`, each in a napari of its own; `__main__` plays them. `film` writes what was filmed.
"""
