"""napari-hmz: the Helmholtz Model Zoo from napari, Python and the shell."""

from typing import TYPE_CHECKING, Any

from napari_hmz.version import __version__

if TYPE_CHECKING:
    from napari_hmz.client import Client, connect

__all__ = ["Client", "__version__", "connect"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 # whatever the client module has by that name
    """Import the client only when it is asked for: `import napari_hmz` stays fast."""
    if name in {"Client", "connect"}:
        from napari_hmz import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
