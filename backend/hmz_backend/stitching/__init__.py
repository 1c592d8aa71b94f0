"""Stitching: from the results of tiles to whole outputs; pure functions on arrays.

`cropping` keeps a block's part, `blending` averages overlapping parts, and `localising`,
`matching`, `joining` and `planes` make objects of labels that were found tile by tile.
"""
