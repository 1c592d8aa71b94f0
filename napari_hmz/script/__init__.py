"""A run as code: what a person may keep, change and run again, in Python or in a shell."""

from napari_hmz.script.python import as_python
from napari_hmz.script.shell import as_shell

__all__ = ["as_python", "as_shell"]
