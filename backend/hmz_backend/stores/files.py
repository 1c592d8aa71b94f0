"""Files of this machine as zarr stores, below folders that the admin has named."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zarr.storage import LocalStore

from napari_hmz.errors import AddressRefused

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore


@dataclass(frozen=True, slots=True)
class FileStore:
    """Opens `file:` addresses and plain paths.

    Parameters
    ----------
    roots
        Nothing outside of these folders is touched; links are followed before that is checked.
    """

    roots: Sequence[Path]

    @property
    def schemes(self) -> frozenset[str]:
        """The URL schemes that this store opens."""
        return frozenset({"file", ""})

    def open(self, address: str, *, read_only: bool) -> "ZarrStore":
        """Return the zarr store in a folder.

        Raises
        ------
        AddressRefused
            If the folder lies outside of `roots`.
        """
        return LocalStore(self.folder(address), read_only=read_only)

    def folder(self, address: str) -> Path:
        """Return the folder that an address names; raises as `open` does."""
        parts = urlsplit(address)
        if parts.scheme not in self.schemes or parts.netloc not in ("", "localhost"):
            raise AddressRefused(f"Addresses like {parts.scheme}://{parts.netloc} are not opened.")
        path = Path(unquote(parts.path)).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.roots):
            raise AddressRefused("The address lies outside of the folders that may be read.")
        return path
