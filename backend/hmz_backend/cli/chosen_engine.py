"""The engine that the settings ask for."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmz_backend.engines.embedded import EmbeddedEngine
from hmz_backend.engines.protocol import Engine
from hmz_backend.engines.triton_http import TritonHttp
from hmz_backend.settings import Settings
from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.folders import PackageFolders

if TYPE_CHECKING:
    from hmz_backend.engines.bundled import RunningTriton


@dataclass(frozen=True)
class ChosenEngine:
    """What computes, and the way for requests that are made for Triton already.

    Parameters
    ----------
    engine
        Computes tiles.
    http
        Triton's HTTP side; none: there is none.
    """

    engine: Engine
    http: TritonHttp | None = None


def choose_engine(settings: Settings, zoo: Zoo, stack: ExitStack) -> ChosenEngine:
    """Return the engine; what is started for it is stopped with `stack`.

    Raises
    ------
    EngineUnavailable
        If the bundled Triton is asked for and cannot be started.
    """
    if settings.engine == "embedded":
        return ChosenEngine(EmbeddedEngine(PackageFolders(zoo), workers=settings.workers))
    from hmz_backend.engines.triton import TritonEngine

    grpc, http = settings.triton_urls, settings.triton_http_urls
    if not grpc:
        running = _start_bundled(settings, zoo, stack)
        grpc, http = (running.grpc_url,), (running.http_url,)
    return ChosenEngine(TritonEngine(grpc), TritonHttp(http) if http else None)


def _start_bundled(settings: Settings, zoo: Zoo, stack: ExitStack) -> "RunningTriton":
    from hmz_backend.engines import bundled
    from hmz_backend.zoo.triton_repository import write_triton_repository

    repository = settings.data_dir / "triton"
    write_triton_repository(zoo.packages(), repository, instances=settings.workers)
    return stack.enter_context(
        bundled.start(
            repository,
            prefix=settings.triton_prefix,
            log=settings.data_dir / "triton.log",
        )
    )
