"""What the story says of itself while it is played."""

FIRST_LABELS = "first labels"
"""How the line begins that tells when they were there; the second act gets ready then."""

CLOSED = "napari is closed"
"""The second act begins then."""


def say(line: object) -> None:
    """Write a line at once: whoever plays the story waits for some of them."""
    print(line, flush=True)  # noqa: T201 # a script's own word
