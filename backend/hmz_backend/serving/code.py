"""Import contributed Python from a file of the package, once its digest has been checked."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import PackageBroken, cause_of


def load_callable(folder: Path, source: str, sha256: str | None, name: str) -> Callable[..., Any]:
    """Return the callable `name` of the Python file `source`.

    Raises
    ------
    PackageBroken
        If the file is missing, outside the package, without digest or not the one that was
        described; or if its code fails or lacks the name.
    """
    path = (folder / source).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise PackageBroken(f"the Python file {source} is missing")
    code = path.read_bytes()
    digest = hashlib.sha256(code).hexdigest()
    if sha256 is None:
        raise PackageBroken(f"the Python file {source} has no sha256, so it is not run")
    if digest != sha256:
        raise PackageBroken(f"the Python file {source} is not the one that the package describes")
    try:
        found: Callable[..., Any] = getattr(_module(path, code, digest), name)
    except Exception as error:  # contributed code may raise anything
        raise PackageBroken(f"{source} cannot be imported: {cause_of(error)}") from error
    return found


def _module(path: Path, code: bytes, digest: str) -> ModuleType:
    name = f"hmz_contributed_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses look their own module up
    try:
        # The bytes whose digest was checked are the ones that run, whatever happens to the file.
        exec(compile(code, path, "exec"), module.__dict__)  # noqa: S102 # that is its purpose
    except BaseException:  # foreign code may raise anything; no half module stays
        del sys.modules[name]
        raise
    return module
