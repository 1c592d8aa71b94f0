"""`python -m napari_hmz.cli`: the same as `hmz`."""

from napari_hmz.cli import main

main()
