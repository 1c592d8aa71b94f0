"""Sign-in: what a client shows to the backend, kept out of every log and repr."""

from napari_hmz.auth.bearer import Bearer

__all__ = ["Bearer"]
