"""A contributor's own class in place of network and processing; its file's digest is checked."""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .errors import PackageBroken, cause_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@runtime_checkable
class Contributed(Protocol):
    """What the class named in `config.hmz.pipeline` offers; made as `Class(folder, threads)`."""

    def predict(
        self,
        inputs: "Mapping[str, NDArray[Any]]",
        parameters: Mapping[str, Any],
        statistics: Mapping[str, Any] | None,
    ) -> "Mapping[str, NDArray[Any]]":
        """Map raw input tiles in card axes to outputs in card axes."""


def load_contributed(folder: Path, entry: Mapping[str, Any], *, threads: int) -> Contributed:
    """Import and make the class of `config.hmz.pipeline`.

    Raises
    ------
    PackageBroken
        If the file is missing, outside the package or not the one that was described; or its code
        fails.
    """
    path = (folder / str(entry["source"])).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise PackageBroken(f"the pipeline file {entry['source']} is missing")
    code = path.read_bytes()
    digest = hashlib.sha256(code).hexdigest()
    if digest != entry.get("sha256"):
        raise PackageBroken(
            f"the pipeline file {path.name} is not the one that the package describes"
        )
    try:
        made: Contributed = getattr(_module(path, digest), str(entry["callable"]))(folder, threads)
    except Exception as error:  # contributed code may raise anything
        raise PackageBroken(f"the pipeline does not load: {cause_of(error)}") from error
    return made


def _module(path: Path, digest: str) -> ModuleType:
    name = f"hmz_pipeline_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
