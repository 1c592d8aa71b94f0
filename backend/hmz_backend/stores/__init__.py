"""Where arrays lie: the staging area of sent chunks, files, and what decodes them."""
