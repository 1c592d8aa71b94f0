"""What every store must do, as tests: derive from `StoreContract` and name two addresses."""
# ruff: noqa: D102 # a test's name is its sentence

from pathlib import Path

import numpy as np
import pytest
import zarr

from hmz_backend.stores.protocol import Store
from napari_hmz.errors import AddressRefused


class StoreContract:
    """Derive, name the class `Test...`, and override all three."""

    def made(self, folder: Path) -> Store:
        """Return a store that may touch `folder`."""
        raise NotImplementedError

    def address(self, folder: Path) -> str:
        """Return an address that it may open and write."""
        raise NotImplementedError

    def forbidden(self, folder: Path) -> list[str]:
        """Return addresses that it must refuse."""
        raise NotImplementedError

    def test_its_addresses_are_of_its_schemes(self, tmp_path: Path) -> None:
        scheme, found, _ = self.address(tmp_path).partition("://")
        assert (scheme if found else "") in self.made(tmp_path).schemes

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        store, address = self.made(tmp_path), self.address(tmp_path)
        values = np.arange(35).reshape(5, 7)
        array = zarr.create_array(
            store.open(address, read_only=False), shape=(5, 7), chunks=(2, 3), dtype="int64"
        )
        array[...] = values
        read = zarr.open_array(store.open(address, read_only=True), mode="r")
        np.testing.assert_array_equal(read[...], values)

    def test_read_only_is_kept(self, tmp_path: Path) -> None:
        store, address = self.made(tmp_path), self.address(tmp_path)
        zarr.create_array(
            store.open(address, read_only=False), shape=(4,), chunks=(2,), dtype="int8"
        )
        array = zarr.open_array(store.open(address, read_only=True))
        with pytest.raises(ValueError, match=r"read.only"):
            array[...] = 1

    def test_what_it_may_not_touch_is_refused(self, tmp_path: Path) -> None:
        for address in self.forbidden(tmp_path):
            with pytest.raises(AddressRefused):
                self.made(tmp_path).open(address, read_only=True)
