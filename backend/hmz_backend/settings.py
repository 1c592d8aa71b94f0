"""Settings of the backend: one TOML file < environment (`HMZ_BACKEND_`) < argument."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hmz_backend.issuers import Group, HubSettings, IssuerSettings, Url
from hmz_backend.model_access import ModelAccess
from hmz_backend.secret_files import read_secret
from hmz_backend.setting_faults import SettingFault, faults_of, without
from napari_hmz.errors import SettingsInvalid

MIB = 2**20
GIB = 2**30
LAST_PORT = 65535
LEAST_TOKEN = 8  # letters: shorter ones can be guessed


def _data_dir() -> Path:
    return platformdirs.user_data_path("napari-hmz") / "backend"


class Settings(BaseSettings):
    """Every setting of the backend; made by `load_settings`, which knows where values come from."""

    model_config = SettingsConfigDict(
        env_prefix="HMZ_BACKEND_", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    data_dir: Path = Field(default_factory=_data_dir)
    """Folder of volumes, runs and the database."""
    database_url: str = Field(default="", repr=False)  # it may hold a password
    """SQLAlchemy address; empty: a SQLite file in `data_dir`."""
    database_password: SecretStr | None = None
    """The password that belongs to `database_url`, if it does not stand there."""
    database_password_file: Path | None = None
    """A file that holds it instead."""
    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs an issuer or a hub."""
    port: int = Field(default=8650, ge=0, le=LAST_PORT)
    """Port to listen on; 0 takes any free one."""
    url_prefix: str = Field(
        default="", pattern=r"^(/[A-Za-z0-9._~@%-]+)*$", examples=["/services/hmz"]
    )
    """The path under which a proxy has the backend that passes whole paths on, for example
    `/services/hmz`; empty: none, or the proxy takes it away."""
    peer_url: str = Field(
        default="", pattern=r"^(https?://[^/?#\s@]+)?$", examples=["http://10.0.0.5:8650"]
    )
    """Where other server processes on the same PostgreSQL reach this one; empty: at `port` of this
    machine, which will do as long as all of them are here."""
    public_url: Url | Literal[""] = ""
    """Where people reach it, through a proxy with TLS; only `hmz-backend check` needs it, to look
    whether the backend is there."""
    log_format: Literal["plain", "json"] = "plain"
    """How log lines are written, to standard error: for people, or one JSON object a line."""
    traces_url: str = Field(
        default="", pattern=r"^(https?://[^/?#\s@]+/?)?$", examples=["http://127.0.0.1:4318"]
    )
    """OpenTelemetry collector that traces are sent to (OTLP over HTTP), for example
    `http://127.0.0.1:4318`; empty: nowhere."""
    metrics_address: str = Field(
        default="", pattern=r"^(\S+:\d{1,5})?$", examples=["127.0.0.1:9464"]
    )
    """`host:port` at which `/metrics` is answered, and nothing else, to whoever reaches it; empty:
    there is no such address."""
    metrics_token: SecretStr | None = Field(default=None, min_length=8)
    """What Prometheus may show to read `/metrics` at the main address; none: only admins may."""
    metrics_token_file: Path | None = None
    """A file that holds it instead."""
    token: SecretStr | None = None
    """The shared token of all callers as long as there is no issuer and no hub; none: HMZ_TOKEN, or
    made up at start."""
    token_file: Path | None = None
    """A file that holds it instead."""
    cors_origins: tuple[str, ...] = ()
    """Origins (`https://host`) whose web pages may ask with a person's token (CORS); none: no page
    of another origin may."""
    issuers: tuple[IssuerSettings, ...] = ()
    """OpenID Connect issuers that callers may sign in at; in the file `[[issuers]]`."""
    jupyterhub: HubSettings | None = None
    """A JupyterHub whose tokens are accepted; in the file `[jupyterhub]`."""
    anonymous: bool = False
    """Whether callers without an account may look around and use models that are public."""
    token_life_days: int = Field(default=365, ge=1)
    """How long a token may last that people make for scripts (`hmz tokens create`)."""
    token_groups_days: int = Field(default=30, ge=1)
    """How long such a token has its owner's groups after the owner was last here in person."""
    model_access: dict[str, ModelAccess] = {}
    """Who may use which model, in place of what its package says; in the file
    `[model_access."ID"]`, for one version `[model_access."ID/VERSION"]`."""
    encrypted_at_rest: bool = False
    """The admin's word that all of `data_dir` and the database lie on encrypted disks: only then
    are images taken that are declared sensitive."""
    models: tuple[Path, ...] = ()
    """Folders of model packages beside the shipped ones."""
    ledger_names_months: int = Field(default=0, ge=0)
    """How many whole months, beside the current one, the ledger of use names persons; what is older
    is folded into sums of the month, by model and by group; 0: for ever."""
    audit_checkpoints: Path | None = None
    """File that gets a line each hour with number and digest of the newest audit record; it should
    lie on another machine. The log has the same lines."""
    engine: Literal["embedded", "triton"] = "embedded"
    """What computes: worker processes of this backend, or NVIDIA Triton."""
    triton_urls: tuple[str, ...] = ()
    """gRPC addresses (`host:port`) of Triton servers; empty: the bundled one is started."""
    triton_http_urls: tuple[str, ...] = ()
    """HTTP addresses (`http://host:port`) of the same servers: `/v2` passes requests on to them."""
    triton_prefix: Path | None = None
    """Where the bundled Triton is installed; none: the place that `triton install` uses."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Worker processes of the embedded engine."""
    threads: int = Field(default_factory=lambda: max(4, os.cpu_count() or 1), ge=1)
    """Threads that read, decode, stitch and write."""
    tiles_in_flight: int = Field(default_factory=lambda: max(8, 3 * (os.cpu_count() or 1)), ge=1)
    """How many tiles are held in memory at once, over all runs; a quarter more for newcomers."""
    share_weights: dict[Group, Annotated[float, Field(gt=0)]] = {}
    """How much of the capacity each member of an AARC-G069 group gets; all others have 1."""
    anonymous_weight: float = Field(default=0.25, gt=0)
    """The same for all together who are not signed in."""
    interactive_cap: float = Field(default=0.75, ge=0, le=1)
    """What previews take of the engine at most while other work waits; up to that they go first."""
    runs_at_once: int = Field(default=8, ge=0)
    """How many runs of one person go at a time, previews counted apart; 0: no limit."""
    runs_waiting: int = Field(default=1000, ge=0)
    """How many more of one person may wait, for their turn or their image; 0: no limit."""
    runs_open: int = Field(default=20_000, ge=0)
    """How many runs of all people may go or wait; 0: no limit."""
    requests_per_s: float = Field(default=1000.0, ge=0)
    """How many requests one person may make in the long run; 0: no limit."""
    voxels_in_flight: int = Field(default=0, ge=0)
    """How many tile voxels one person may have under way at once; 0: no limit."""
    memory_budget_bytes: int = Field(default=4 * GIB, ge=64 * MIB)
    """What the tiles in flight together may take, engine included; plans keep to it."""
    chunk_cache_bytes: int = Field(default=256 * MIB, ge=0)
    """Decoded chunks kept, so that neighbouring tiles do not decode them again."""
    chunk_limit_bytes: int = Field(default=256 * MIB, ge=1)
    """The largest decoded chunk that a volume may announce."""
    staging_quota_bytes: int = Field(default=200 * GIB, ge=1)
    """What all staged chunks together may take on disk."""
    staging_bytes_each: int = Field(default=0, ge=0)
    """What the staged chunks of one person may take of that; 0: no limit."""
    stream_bytes: int = Field(default=16 * GIB, ge=1)
    """What one image that passes through as a stream may take of that at a time, decoded."""
    disk_reserve_bytes: int = Field(default=GIB, ge=0)
    """What staged chunks leave free on the disk."""
    volume_ttl_s: float = Field(default=14 * 86400.0, ge=0)
    """How long staged chunks are kept after their last use."""
    run_ttl_s: float = Field(default=0.0, ge=0)
    """How long the outputs of a run are kept after its end; 0: for ever."""
    credit_bytes: int = Field(default=64 * MIB, ge=1)
    """Decoded size of the chunks that one client may have under way."""
    engine_timeout_s: float = Field(default=600.0, gt=0)
    """How long one tile may take."""
    engine_patience_s: float = Field(default=3600.0, gt=0)
    """How long a run waits for an engine that is down before it fails."""
    stop_patience_s: float = Field(default=10.0, gt=0)
    """How long open requests may take to end when the backend stops."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 # the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments only: where values come from is said in `load_settings`."""
        return (init_settings,)

    @field_validator("issuers")
    @classmethod
    def _once_each(cls, issuers: tuple[IssuerSettings, ...]) -> tuple[IssuerSettings, ...]:
        if len({issuer.url for issuer in issuers}) < len(issuers):
            raise ValueError("an issuer stands there twice")
        return issuers

    @field_validator("metrics_address")
    @classmethod
    def _with_a_port(cls, address: str) -> str:
        if address and int(address.rpartition(":")[2]) > LAST_PORT:
            raise ValueError(f"a port is {LAST_PORT} at most")
        return address

    @model_validator(mode="after")
    def _secrets_said_once(self) -> Self:
        if self.token and self.token_file:
            raise ValueError("token and token_file: one of them is enough")
        if self.metrics_token and self.metrics_token_file:
            raise ValueError("metrics_token and metrics_token_file: one of them is enough")
        if self.database_password and self.database_password_file:
            raise ValueError("database_password and database_password_file: one of them is enough")
        if (self.database_password or self.database_password_file) and not self.database_url:
            raise ValueError("a database password needs a database_url")
        return self

    @field_validator("cors_origins")
    @classmethod
    def _named(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            is_bare = origin == f"{parts.scheme}://{parts.netloc}"
            if not is_bare or parts.scheme not in ("http", "https"):
                raise ValueError(f"{origin!r} is no origin: give https://host, without a path")
        return origins

    @property
    def knows_people(self) -> bool:
        """Whether callers are persons with accounts of their own."""
        return bool(self.issuers or self.jupyterhub)

    def token_for_metrics(self) -> SecretStr | None:
        """Return what whoever reads metrics may show, read now; raises as `shared_token`."""
        path = self.metrics_token_file
        return read_secret(path, "metrics_token_file") if path else self.metrics_token

    def shared_token(self) -> SecretStr | None:
        """Return the token of all callers, read now.

        Raises
        ------
        SettingsInvalid
            If its file cannot be read, or is empty.
        """
        return read_secret(self.token_file, "token_file") if self.token_file else self.token

    @property
    def metrics_place(self) -> tuple[str, int] | None:
        """Host and port of `metrics_address`; none: there is no such address."""
        host, _, port = self.metrics_address.rpartition(":")
        return (host.strip("[]"), int(port)) if port else None

    @property
    def address_for_peers(self) -> str:
        """Where other server processes reach this one."""
        if self.peer_url:
            return self.peer_url
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 # any address is not one to call
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def database_address(self) -> str:
        """The SQLAlchemy address, with the default filled in and the password read now.

        Raises
        ------
        SettingsInvalid
            If the file of the password cannot be read, or the address is none.
        """
        password = self.database_password
        if self.database_password_file is not None:
            password = read_secret(self.database_password_file, "database_password_file")
        if password is None:
            return self.database_url or f"sqlite:///{self.data_dir / 'backend.sqlite'}"
        try:
            url = make_url(self.database_url).set(password=password.get_secret_value())
        except ArgumentError:
            raise SettingsInvalid(
                "database_url is no database address.",
                remedy="Write postgresql+psycopg://USER@HOST/NAME.",
            ) from None  # its text shows the address
        return url.render_as_string(hide_password=False)


_REMEDY = "Correct the file (--config), the environment (HMZ_BACKEND_...) or the options."


def load_settings(config: Path | None = None, **arguments: object) -> Settings:
    """Return the settings from file, environment and arguments, the later ones winning.

    Parameters
    ----------
    config
        A TOML file; none: the one that HMZ_BACKEND_CONFIG names, if any.
    **arguments
        Settings by name; None means "not given".

    Raises
    ------
    SettingsInvalid
        If a setting is unknown or of the wrong type, or the file cannot be read.
    """
    settings, faults = judged_settings(config, **arguments)
    if settings is None or faults:
        told = " ".join(map(str, faults))
        raise SettingsInvalid(f"The settings cannot be used: {told}", remedy=_REMEDY)
    return settings


def judged_settings(
    config: Path | None = None, **arguments: object
) -> tuple[Settings | None, tuple[SettingFault, ...]]:
    """Return the settings and everything that is wrong with them.

    What is unknown is left out; none are returned if something else is wrong. Parameters are those
    of `load_settings`.

    Raises
    ------
    SettingsInvalid
        If the file cannot be read, or a variable of the environment is no JSON where it must be.
    """
    given: dict[str, Any] = {n: value for n, value in arguments.items() if value is not None}
    given = {**_from_file(config), **_from_environment(), **given}
    try:
        return Settings(**given), ()
    except ValidationError as error:
        faults = faults_of(Settings, error)
    if not all(fault.unknown for fault in faults):
        return None, faults
    for fault in faults:
        given = without(given, fault.place)
    try:
        return Settings(**given), faults
    except ValidationError as error:
        return None, (*faults, *faults_of(Settings, error))


def settings_path(config: Path | None = None) -> Path | None:
    """Return the TOML file that is read: the given one, or that of the environment, if any."""
    named = os.environ.get("HMZ_BACKEND_CONFIG")
    return config or (Path(named) if named else None)


def _from_environment() -> dict[str, object]:
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise SettingsInvalid(
            f"The environment cannot be read: {error}: it must be JSON.", remedy=_REMEDY
        ) from None  # what it comes from shows the value


def _from_file(config: Path | None) -> dict[str, object]:
    path = settings_path(config)
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:  # no TOML, or no UTF-8
        detail = f"The settings file {path} cannot be read: {error}."
        raise SettingsInvalid(detail, remedy=_REMEDY) from error
