from pathlib import Path

from hmz_backend.stores.files import FileStore
from hmz_backend.stores.protocol import Store
from hmz_backend.testing.store_contract import StoreContract


class TestFileStore(StoreContract):
    def made(self, folder: Path) -> Store:
        return FileStore([folder / "open"])

    def address(self, folder: Path) -> str:
        return (folder / "open" / "with space").as_uri()

    def forbidden(self, folder: Path) -> list[str]:
        (folder / "open").mkdir()
        (folder / "open" / "link").symlink_to(folder)
        return [
            folder.as_uri(),
            str(folder / "elsewhere"),
            str(folder / "open" / ".." / "elsewhere"),
            str(folder / "open" / "link" / "elsewhere"),
            f"file://elsewhere{folder}/open",
            "https://example.org/open",
        ]
