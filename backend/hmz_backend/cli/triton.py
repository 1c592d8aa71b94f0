"""`hmz-backend triton`: bring and run the bundled Triton."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from hmz_backend.engines.bundled import Ports, start
from hmz_backend.engines.environment import default_prefix
from hmz_backend.engines.environment import install as install_environment
from napari_hmz.errors import EngineUnavailable

triton = typer.Typer(no_args_is_help=True, help="The bundled Triton server (Linux, x86-64).")

Prefix = Annotated[Path | None, typer.Option(help="Folder of the serving environment.")]


@triton.command()
def install(
    prefix: Prefix = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="A package that a model needs, such as stardist.")
    ] = None,
) -> None:
    """Make the environment that the bundled Triton and its models run in; safe to repeat."""
    folder = prefix or default_prefix()
    typer.echo(f"Serving environment: {folder} (about 750 MB; pip's words are in install.log)")
    environment = install_environment(prefix, extras=extra or ())
    typer.echo(f"Installed: {environment.server}")


@triton.command()
def run(
    *,
    repository: Annotated[Path, typer.Option(help="Model repository, as `zoo deploy` writes it.")],
    prefix: Prefix = None,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8000,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8001,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8002,
    log: Annotated[Path | None, typer.Option(help="File for Triton's output.")] = None,
) -> None:
    """Run the bundled Triton on loopback until it is stopped (Ctrl-C); models load on demand."""
    if not repository.is_dir():
        raise typer.BadParameter(f"{repository} is not a folder", param_hint="--repository")
    ports = Ports(http=http_port, grpc=grpc_port, metrics=metrics_port)
    signal.signal(signal.SIGTERM, _leave)
    with start(repository, prefix=prefix, ports=ports, log=log) as running:
        typer.echo(f"gRPC {running.grpc_url}, HTTP {running.http_url}, log {running.log}")
        try:
            code = running.process.wait()
        except KeyboardInterrupt:
            return
    raise EngineUnavailable(f"Triton ended with code {code}.", remedy=f"Look at {running.log}.")


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
