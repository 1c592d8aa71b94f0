"""The store seam: an address becomes a zarr store; one implementation per storage system."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore


class Store(Protocol):
    """Opens addresses of its schemes as zarr stores."""

    @property
    def schemes(self) -> frozenset[str]:
        """The URL schemes that this store opens, for example `file`."""

    def open(self, address: str, *, read_only: bool) -> "ZarrStore":
        """Return the zarr store at `address`.

        Raises
        ------
        AddressRefused
            If the address lies outside of what this store may touch.
        """
