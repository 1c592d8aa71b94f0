"""Who may call, as the settings say: people of issuers and a hub, or whoever has the one token."""

from pydantic import SecretStr

from hmz_backend.identity.anonymous import Anonymous
from hmz_backend.identity.hub_token import HubTokens
from hmz_backend.identity.inquiry import Inquiry
from hmz_backend.identity.issuer import IssuerTokens
from hmz_backend.identity.protocol import Identity
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.settings import Settings
from hmz_backend.watch.watch import Watch


def choose_identities(settings: Settings, token: SecretStr, watch: Watch) -> list[Identity]:
    """Return the identities in the order in which they are asked.

    Where people have accounts of their own the shared token opens nothing: it belongs to nobody.

    Raises
    ------
    SettingsInvalid
        If the secret of a client cannot be read.
    """
    nobody: list[Identity] = [Anonymous()] if settings.anonymous else []
    if not settings.knows_people:
        return [SharedToken(token), *nobody]
    inquiry = Inquiry(callers=watch.callers)
    for issuer in settings.issuers:
        if "introspection" in issuer.check:
            issuer.secret()  # the admin hears of it now, not the first who signs in
    found: list[Identity] = [IssuerTokens(issuer, inquiry) for issuer in settings.issuers]
    if settings.jupyterhub is not None:
        found.append(HubTokens(settings.jupyterhub, inquiry))
    return [*found, *nobody]
