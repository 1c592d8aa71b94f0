"""What the settings say of models and groups: that these are there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from hmz_backend.access.models import ModelRules
from hmz_backend.check.database import DRIVERS, connected, is_there
from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.identity import person_records
from hmz_backend.setting_faults import asking, nearest
from hmz_backend.settings import Settings
from hmz_backend.zoo.catalogue import Zoo
from napari_hmz.errors import SettingsInvalid


@dataclass(frozen=True, slots=True)
class Rules:
    """Looks at model packages, and at what is said of models and groups.

    Parameters
    ----------
    settings
        All of them.
    zoo
        The packages that the backend would have.
    """

    settings: Settings
    zoo: Zoo
    subject: str = "models and groups"

    def look(self) -> Sequence[Finding]:
        """Return what names something that is not there."""
        found = [*self._folders(), *self._packages(), *self._models(), *self._groups()]
        return found or [ok(f"{len(self.zoo.cards())} models; all that rules name is there.")]

    def _folders(self) -> Iterator[Finding]:
        for folder in self.settings.models:
            if not folder.is_dir():
                yield wrong(f"models: there is no folder {folder}.", "Make it, or take it out.")

    def _packages(self) -> Iterator[Finding]:
        for folder, fault in self.zoo.faults().items():
            words = f"The package {folder} is refused: {fault.detail}"
            yield warning(words, f"hmz-backend zoo check {folder}")

    def _models(self) -> Iterator[Finding]:
        cards = self.zoo.cards()
        known = sorted({card.id for card in cards} | {f"{c.id}/{c.version}" for c in cards})
        for name in self.settings.model_access:
            if name not in known:
                words = f'model_access."{name}": there is no such model'
                yield wrong(asking(words, name, known), "Correct it.")
        rules = ModelRules(self.settings.model_access)
        for card in cards:
            classes = rules.access(card).data_classes
            if set(classes) == {"sensitive"} and not self.settings.encrypted_at_rest:
                words = f"{card.id} takes sensitive images alone, which this backend refuses."
                yield warning(words, "Set encrypted_at_rest, if the disks are.")

    def _groups(self) -> Iterator[Finding]:
        authorities, seen = _authorities(self.settings), self._groups_seen()
        for setting, group in _named_groups(self.settings):
            authority = group.rpartition("#")[2]
            if authority not in authorities:
                words = f"{setting}: nobody can be in {group}: no issuer has that authority."
                yield wrong(words, f'Correct it, or add "{authority}" to authorities.')
            elif seen and group not in seen and nearest(group, sorted(seen)):
                words = f"{setting}: nobody in {group} was here"
                yield warning(
                    asking(words, group, sorted(seen)),
                    "Look whether it is spelled as the issuer does.",
                )

    def _groups_seen(self) -> frozenset[str]:
        """Return the groups of all who were here; none if that cannot be told."""
        try:
            url = make_url(self.settings.database_address)
            if url.drivername not in DRIVERS or not is_there(url):
                return frozenset()
            with connected(url) as connection:
                people = person_records.everyone(connection)
        except (ArgumentError, SettingsInvalid, DBAPIError):
            return frozenset()  # the check of the database tells it
        return frozenset(group for person in people for group in person.groups)


def _authorities(settings: Settings) -> frozenset[str]:
    """Return whose word about groups counts here."""
    found = {authority for issuer in settings.issuers for authority in issuer.authorities}
    if settings.jupyterhub is not None:
        found |= set(settings.jupyterhub.authorities)
        found.add(urlsplit(settings.jupyterhub.url).netloc)
    return frozenset(found)


def _named_groups(settings: Settings) -> Iterator[tuple[str, str]]:
    for group in settings.share_weights:
        yield "share_weights", group
    for model, access in settings.model_access.items():
        for group in access.groups:
            yield f'model_access."{model}"', group
