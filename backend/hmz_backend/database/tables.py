"""The tables; a change here needs a migration in `alembic/versions`."""

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The root of all tables."""


class VolumeRow(Base):
    """One volume of one principal; the same data announced twice is one row."""

    __tablename__ = "volumes"
    __table_args__ = (
        UniqueConstraint("issuer", "subject", "fingerprint", name="volume_of_principal"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    fingerprint: Mapped[str]
    request: Mapped[str]
    """VolumeRequest as JSON."""
    is_sensitive: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[str]


class RunRow(Base):
    """One run, with everything that was fixed when it was created."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("issuer", "subject", "idempotency_key", name="run_of_request"),
        Index("runs_by_state", "state"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    groups: Mapped[str] = mapped_column(server_default="[]")
    """Those of its owner when it was started, as JSON: a run outlives the token."""
    idempotency_key: Mapped[str | None]
    volume: Mapped[str] = mapped_column(ForeignKey("volumes.id"))
    state: Mapped[str]
    request: Mapped[str]
    plan: Mapped[str]
    provenance: Mapped[str]
    results: Mapped[str]
    error: Mapped[str | None]
    """Problem as JSON."""
    created_at: Mapped[str]
    started_at: Mapped[str | None]
    ended_at: Mapped[str | None]


class ShareRow(Base):
    """A volume or run that its owner has shared, with a person or with a group."""

    __tablename__ = "shares"
    __table_args__ = (
        UniqueConstraint("thing", "group_text", "issuer", "subject", name="share_with_someone"),
        Index("shares_by_group", "group_text"),
        Index("shares_by_person", "issuer", "subject"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    thing: Mapped[str]
    """The id of the volume or run: no two of them have the same."""
    group_text: Mapped[str]
    """Canonical; empty: a person."""
    issuer: Mapped[str]
    subject: Mapped[str]
    """Both empty: a group."""
    allows: Mapped[str]
    created_at: Mapped[str]


class BlockRow(Base):
    """What is known of one block in one output; `final` once its chunk will not change again."""

    __tablename__ = "blocks"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    output: Mapped[str] = mapped_column(primary_key=True)
    block: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    """SHA-256 of the stored chunk; empty where it is all fill value."""
    objects: Mapped[int]
    """How many objects the block's core has, for instance labels."""
    final: Mapped[bool]


class EventRow(Base):
    """One event of one run, in the order of `number`."""

    __tablename__ = "events"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]


class SpeedRow(Base):
    """How fast a model has been here: what a plan's seconds are made from."""

    __tablename__ = "speeds"

    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    voxels: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Float)


class PersonRow(Base):
    """Someone who was here, or who must not come."""

    __tablename__ = "people"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    groups: Mapped[str]
    """Canonical groups as a JSON list, as they were at `groups_at`."""
    groups_at: Mapped[str]
    """When the person was last here by something else than a token made here."""
    first_seen: Mapped[str]
    last_seen: Mapped[str]
    suspended_at: Mapped[str | None]


class TokenRow(Base):
    """A token that somebody has made; it can be checked, and not be told again."""

    __tablename__ = "tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["issuer", "subject"], ["people.issuer", "people.subject"], name="token_of_person"
        ),
        Index("tokens_by_owner", "issuer", "subject"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[str]
    digest: Mapped[str]
    """SHA-256 of the secret part."""
    created_at: Mapped[str]
    expires_at: Mapped[str]
    used_at: Mapped[str | None]


class AuditRow(Base):
    """One record of the audit trail; triggers refuse to change it, and to remove it unannounced."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_time", "at"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[str]
    body: Mapped[str]
    """Canonical JSON."""
    digest: Mapped[str]
    """SHA-256 of the body."""


class AuditHeadRow(Base):
    """Where the audit trail ends: one row, locked by whoever adds a record."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]
    removed_until: Mapped[int] = mapped_column(BigInteger)
    """Records up to this number may be removed."""


class LeaseRow(Base):
    """Which server process looks after volumes and runs; one row, where there are several."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    term: Mapped[int]
    """Goes up with every takeover."""
    address: Mapped[str]
    """Where its holder is reached by the others."""
    ends_at_s: Mapped[float] = mapped_column(Float)
    """By the database's clock, in seconds since 1970."""


class UsageRow(Base):
    """What one person used on one day, counted by one process."""

    __tablename__ = "usage"
    __table_args__ = (Index("usage_by_person", "issuer", "subject"),)

    day: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    groups: Mapped[str] = mapped_column(primary_key=True)
    """The digest of a set of groups: those that the person had then."""
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(primary_key=True)
    tiles: Mapped[int] = mapped_column(BigInteger)
    voxels: Mapped[int] = mapped_column(BigInteger)
    engine_us: Mapped[int] = mapped_column(BigInteger)
    bytes_up: Mapped[int] = mapped_column(BigInteger)
    bytes_down: Mapped[int] = mapped_column(BigInteger)


class UsageGroupsRow(Base):
    """A set of groups, once for all who are in the same ones."""

    __tablename__ = "usage_groups"

    digest: Mapped[str] = mapped_column(primary_key=True)
    groups: Mapped[str]
    """Canonical groups as a JSON list."""
