"""The client's settings: file, over which stands the environment, over which stand arguments."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from napari_hmz.errors import SettingsInvalid
from napari_hmz.memory import DEFAULT_BYTES, LEAST_BYTES, MemoryBudget
from napari_hmz.profiles import LOCAL, Profile

EngineChoice = Literal["embedded", "triton"]

APPLICATION = "napari-hmz"
FILE_VARIABLE = "HMZ_CONFIG"
"""Names another settings file than the one in the user's configuration folder."""


def settings_file() -> Path:
    """Return the settings file that is read, whether it exists or not."""
    named = os.environ.get(FILE_VARIABLE)
    folder = platformdirs.user_config_path(APPLICATION, appauthor=False)
    return Path(named) if named else folder / "client.toml"


def state_folder() -> Path:
    """Return where the client keeps what it must remember between processes."""
    return platformdirs.user_state_path(APPLICATION, appauthor=False)


def data_folder() -> Path:
    """Return where the backend of this machine keeps images and results."""
    return platformdirs.user_data_path(APPLICATION, appauthor=False)


class ClientSettings(BaseSettings):
    """What a client needs to know: each field can stand in the file, or as `HMZ_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="HMZ_",
        env_ignore_empty=True,  # an empty variable is how a shell unsets one for a single command
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    url: str | None = None
    """Address of the backend; none: the backend of this machine."""
    token: SecretStr | None = None
    """Bearer token of the backend at `url`."""
    token_command: str | None = None
    """A command that prints that token; it runs again when the token is not accepted any more."""
    profile: str | None = None
    """Name of the profile whose backend is used instead of `url`; `local`: that of this machine."""
    profiles: dict[str, Profile] = Field(default_factory=dict)
    """Backends by name: in the file `[profiles.NAME]` with `url`, and `token_file` or
    `token_command` if nobody signs in there."""
    engine: EngineChoice = "embedded"
    """What the backend of this machine computes with."""
    connections: int = Field(default=32, ge=1, le=64)
    """How many chunks may travel at the same time in each direction; short links use fewer."""
    memory_budget_bytes: int = Field(default=DEFAULT_BYTES, ge=LEAST_BYTES)
    """What images and results may take in memory, whatever their size."""
    timeout_s: float = Field(default=30.0, gt=0)
    """How long one answer may take."""
    patience_s: float = Field(default=10.0, ge=0)
    """How long a request is tried again while nobody answers."""
    reconnect_s: float = Field(default=600.0, ge=0)
    """The same for the transfers of a run: sleep, a lost network, a restart of the backend."""
    state_dir: Path = Field(default_factory=state_folder)
    """Where runs, and the backend of this machine, are remembered."""
    data_dir: Path = Field(default_factory=data_folder)
    """Where the backend of this machine keeps images and results."""

    @property
    def memory(self) -> MemoryBudget:
        """How the memory budget is shared out."""
        return MemoryBudget(self.memory_budget_bytes)

    @property
    def profile_used(self) -> str:
        """The name of the profile that the address is of; empty if it is of none."""
        known = self.profiles.get(self.profile or "")
        return self.profile or "" if known is not None and known.url == self.url else ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 # the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put arguments before the environment, and that before the file."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        return (init_settings, env_settings, file)


def load_settings(**arguments: Any) -> ClientSettings:  # noqa: ANN401 # checked by pydantic
    """Read the settings; an argument that is None counts as not given.

    Raises
    ------
    SettingsInvalid
        If a value is of the wrong type or out of range, the file has an unknown key, or there is
        no profile of that name.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    found = _read(given)
    return found if found.profile is None or _names_url(given) else _of_profile(found, given)


def _read(given: dict[str, Any]) -> ClientSettings:
    try:
        return ClientSettings(**given)
    except ValidationError as error:
        raise SettingsInvalid(_sentence(error), remedy=_remedy()) from None
    except (OSError, ValueError) as error:  # not readable, or not TOML
        raise SettingsInvalid(f"{settings_file()}: {error}", remedy=_remedy()) from error


def _names_url(given: dict[str, Any]) -> bool:
    """Return whether an address is named nearer to the call than a profile is."""
    if "profile" in given or "url" in given:
        return "url" in given
    return bool(os.environ.get("HMZ_URL")) and not os.environ.get("HMZ_PROFILE")


def _of_profile(found: ClientSettings, given: dict[str, Any]) -> ClientSettings:
    """Return the settings with the address of the profile.

    Of tokens only the profile's own is used, or one of the call: any other belongs to `url`.
    """
    name = found.profile or LOCAL
    if name == LOCAL:
        return found.model_copy(update={"url": None, "token": None, "token_command": None})
    if name not in found.profiles:
        there = ", ".join([LOCAL, *found.profiles])
        raise SettingsInvalid(f"There is no profile {name}; there are {there}.", remedy=_remedy())
    profile = found.profiles[name]
    token = found.token if "token" in given else profile.token()
    command = found.token_command if "token_command" in given else profile.token_command
    new = {"url": profile.url, "token": token, "token_command": command}
    return found.model_copy(update=new)


def _sentence(error: ValidationError) -> str:
    # Only names and messages: the values could be secrets.
    return "; ".join(_fault(e["loc"], e["type"], e["msg"]) for e in error.errors())


def _fault(place: tuple[str | int, ...], kind: str, message: str) -> str:
    name = ".".join(map(str, place)) or "settings"
    if kind != "extra_forbidden":
        return f"{name}: {message}"
    near = get_close_matches(name, ClientSettings.model_fields, n=1)
    return f"{name}: there is no such setting" + "".join(f"; did you mean {word}" for word in near)


def _remedy() -> str:
    return f"Correct it in {settings_file()}, in the environment (HMZ_...) or in the call."
