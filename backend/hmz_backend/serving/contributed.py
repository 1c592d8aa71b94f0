"""A contributor's own class in place of network and processing."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .code import load_callable
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
        If its file cannot be trusted or imported (`load_callable`), or the class not be made.
    """
    name, source = str(entry["callable"]), str(entry["source"])
    pipeline = load_callable(folder, source, entry.get("sha256"), name)
    try:
        made = pipeline(folder, threads)
    except Exception as error:  # contributed code may raise anything
        raise PackageBroken(f"the pipeline does not load: {cause_of(error)}") from error
    if not isinstance(made, Contributed):
        raise PackageBroken(f"the pipeline {name} has no method `predict`")
    return made
