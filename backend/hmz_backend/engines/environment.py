"""Make the environment that the bundled Triton and the models in it run in.

Triton 2.51 comes in the wheel of `nvidia-pytriton` 0.7.0 (Linux x86-64, glibc 2.35 or newer). Its
Python backend needs numpy 1 (with numpy 2 every output comes back empty) and the shared library of
the very interpreter that made the environment. Versions of what computes are those of the running
environment, so that both engines give the same bits. The marker is written last: without it, or
with that of another list of requirements, the environment is made anew.
"""

import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from napari_hmz.errors import EngineUnavailable

TRITON = "nvidia-pytriton==0.7.0"
FIXED = ("numpy>=1.26.4,<2",)
SHARED = (
    "bioimageio.core",
    "bioimageio.spec",
    "onnxruntime",
    "pydantic",
    "scikit-image",
    "scipy",
    "xarray",
)
"""Packages that take part in reading and computing: the same versions here and there."""
PYTHONS = ((3, 11), (3, 12))
"""Newer ones have no wheel of numpy 1, older ones are not ours."""
MARKER = "installed.json"
LOG = "install.log"
CHECK = (
    "import numpy, onnxruntime, scipy, skimage, bioimageio.core;"
    "assert numpy.__version__.startswith('1.'), numpy.__version__"
)
INSTALL_TIMEOUT_S = 1800.0
CHECK_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Environment:
    """An installed serving environment.

    Parameters
    ----------
    prefix
        The folder that holds all of it.
    """

    prefix: Path

    @property
    def python(self) -> Path:
        """The interpreter that models run in."""
        return self.prefix / "venv" / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where its packages are."""
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.prefix / "venv" / "lib" / name / "site-packages"

    @property
    def server(self) -> Path:
        """The Triton program."""
        return self.packages / "pytriton" / "tritonserver" / "bin" / "tritonserver"

    @property
    def backends(self) -> Path:
        """Triton's backends, with the stub for this Python."""
        return self.prefix / "backends"

    def is_installed(self) -> bool:
        """Say whether it is complete, and made for these requirements."""
        digest = self._marker().get("digest")
        return bool(digest == _digest(requirements())) and self.server.is_file()

    def extras(self) -> frozenset[str]:
        """Return the packages that were asked for beside what every model needs."""
        return frozenset(self._marker().get("extras", ()))

    def _marker(self) -> dict[str, Any]:
        try:
            marker: dict[str, Any] = json.loads((self.prefix / MARKER).read_text())
        except (OSError, ValueError):
            return {}
        return marker


def default_prefix() -> Path:
    """Return where the serving environment lies if nobody says otherwise."""
    return user_data_path("napari-hmz") / f"triton-python{sysconfig.get_python_version()}"


def requirements() -> tuple[str, ...]:
    """Return what is installed beside Triton, pinned to the running environment.

    Raises
    ------
    EngineUnavailable
        If the running environment lacks a package that serving needs.
    """
    try:
        return (*FIXED, *(f"{name}=={version(name)}" for name in SHARED))
    except PackageNotFoundError as error:
        raise EngineUnavailable(
            f"The package {error.name} is not installed.",
            remedy="Install with `pip install 'napari-hmz[backend]'`.",
        ) from error


def install(prefix: Path | None = None, *, extras: Iterable[str] = ()) -> Environment:
    """Make the serving environment, or leave it if it is there; may take minutes.

    Parameters
    ----------
    prefix
        Where; `default_prefix()` if not given. `install.log` there tells what pip did.
    extras
        Packages that some models need beside (`stardist`, `cellpose`); added to those there.

    Raises
    ------
    EngineUnavailable
        If this machine or interpreter cannot run it, or the installation fails.
    """
    environment = Environment((prefix or default_prefix()).absolute())
    check_machine()
    environment.prefix.mkdir(parents=True, exist_ok=True)
    with _alone(environment.prefix / "install.lock"):
        all_extras = environment.extras() | set(extras)
        if not environment.is_installed():
            _make(environment, all_extras)
        elif all_extras != environment.extras():
            _fill(environment, all_extras)
    return environment


def check_machine() -> None:
    """Look whether the bundled Triton can run here.

    Raises
    ------
    EngineUnavailable
        If it cannot; the remedy says what would do.
    """
    remedy = "Use the embedded engine, or a Triton elsewhere (its URL in the settings)."
    if sys.platform != "linux" or platform.machine() != "x86_64":
        machine = f"{platform.system()} on {platform.machine()}"
        detail = f"The bundled Triton needs Linux on x86-64, not {machine}."
        raise EngineUnavailable(detail, remedy=remedy)
    if sys.version_info[:2] not in PYTHONS:
        known = " or ".join(".".join(map(str, python)) for python in PYTHONS)
        detail = f"The bundled Triton needs Python {known}, not {sysconfig.get_python_version()}."
        raise EngineUnavailable(detail, remedy=remedy)
    if not shared_library().is_file():
        detail = f"This Python has no shared library {shared_library()}."
        remedy = "Use a Python built with --enable-shared, or the embedded engine."
        raise EngineUnavailable(detail, remedy=remedy)


def library_folder() -> Path:
    """Return where the interpreter's shared library lies."""
    return Path(str(sysconfig.get_config_var("LIBDIR")))


def shared_library() -> Path:
    """Return the interpreter's shared library, which Triton's Python backend loads."""
    folder = library_folder()
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    name = str(sysconfig.get_config_var("INSTSONAME") or "libpython.so")
    nested = folder / str(multiarch) / name
    return nested if nested.is_file() else folder / name


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(environment: Environment, extras: Iterable[str]) -> None:
    log = environment.prefix / LOG
    log.unlink(missing_ok=True)
    (environment.prefix / MARKER).unlink(missing_ok=True)
    _do([sys.executable, "-m", "venv", "--clear", str(environment.prefix / "venv")], log)
    _do([*_pip(environment), "--no-deps", TRITON], log)
    _place_backend(environment)
    _fill(environment, extras)


def _fill(environment: Environment, extras: Iterable[str]) -> None:
    wanted, beside = requirements(), sorted(extras)
    log, marker = environment.prefix / LOG, environment.prefix / MARKER
    marker.unlink(missing_ok=True)
    _do([*_pip(environment), *wanted, *beside], log)
    _do([str(environment.python), "-c", CHECK], log, timeout_s=CHECK_TIMEOUT_S)
    words = {"digest": _digest(wanted), "requirements": [TRITON, *wanted], "extras": beside}
    marker.write_text(json.dumps(words, indent=2))


def _pip(environment: Environment) -> list[str]:
    return [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check"]


def _place_backend(environment: Environment) -> None:
    # The wheel keeps one stub per Python beside the backend; Triton looks for it within.
    triton = environment.packages / "pytriton" / "tritonserver"
    stub = f"python_backend_stubs/{sysconfig.get_python_version()}/triton_python_backend_stub"
    files = (
        "backends/python/libtriton_python.so",
        "backends/python/triton_python_backend_utils.py",
    )
    target = environment.backends / "python"
    target.mkdir(parents=True, exist_ok=True)
    for source in (triton / file for file in (*files, stub)):
        new = target / f".{source.name}.new"
        shutil.copy2(source, new)
        new.replace(target / source.name)  # a Triton that runs keeps what it has begun with


def _do(command: Sequence[str], log: Path, *, timeout_s: float = INSTALL_TIMEOUT_S) -> None:
    with log.open("ab") as file:
        try:
            subprocess.run(  # noqa: S603 # our own command, without a shell
                command, stdout=file, stderr=file, check=True, timeout=timeout_s
            )
        except (subprocess.SubprocessError, OSError) as error:
            lines = log.read_text(errors="replace").strip().splitlines()
            last = lines[-1] if lines else type(error).__name__
            raise EngineUnavailable(
                f"The serving environment could not be made: {last}",
                remedy=f"Look at {log}; the package index must be reachable.",
            ) from error


def _digest(wanted: Sequence[str]) -> str:
    words = [TRITON, *wanted, sys.version, str(shared_library())]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
