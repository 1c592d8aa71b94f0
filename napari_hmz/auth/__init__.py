"""Sign-in: what a client shows to the backend, kept out of every file, log and repr."""

from napari_hmz.auth.bearer import Bearer
from napari_hmz.auth.command import CommandToken
from napari_hmz.auth.session import Ask, Session
from napari_hmz.auth.sign_ins import SignIns

__all__ = ["Ask", "Bearer", "CommandToken", "Session", "SignIns"]
