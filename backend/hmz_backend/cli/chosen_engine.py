"""The engine that the settings ask for."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine
from hmz_backend.settings import Settings
from hmz_backend.zoo.catalogue import Zoo


@dataclass(frozen=True)
class ZooFolders(Mapping[tuple[str, str], Path]):
    """The folders of all packages by (id, version), as the zoo has them at that moment."""

    zoo: Zoo

    def __getitem__(self, key: tuple[str, str]) -> Path:
        """Return a package's folder."""
        for package in self.zoo.packages():
            if package.key == key:
                return package.folder
        raise KeyError(key)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield every id and version."""
        return (package.key for package in self.zoo.packages())

    def __len__(self) -> int:
        """Return how many packages there are."""
        return len(self.zoo.packages())


def choose_engine(settings: Settings, zoo: Zoo, stack: ExitStack) -> Engine:
    """Return the engine; what is started for it is stopped with `stack`.

    Raises
    ------
    EngineUnavailable
        If the bundled Triton is asked for and cannot be started.
    """
    if settings.engine == "embedded":
        return EmbeddedEngine(ZooFolders(zoo), workers=settings.workers)
    from hmz_backend.engines.triton import TritonEngine

    return TritonEngine(settings.triton_urls or (_start_bundled(settings, zoo, stack),))


def _start_bundled(settings: Settings, zoo: Zoo, stack: ExitStack) -> str:
    from hmz_backend.engines import bundled
    from hmz_backend.zoo.triton_repository import write_triton_repository

    repository = settings.data_dir / "triton"
    write_triton_repository(zoo.packages(), repository, instances=settings.workers)
    running = stack.enter_context(
        bundled.start(
            repository,
            prefix=settings.triton_prefix,
            log=settings.data_dir / "triton.log",
        )
    )
    return running.grpc_url
