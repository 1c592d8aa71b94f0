"""An OpenID Connect issuer: that it is the one that is meant, and can say whose a token is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.identity.inquiry import form_encoded
from hmz_backend.identity.signed_token import ALGORITHMS, public_keys
from hmz_backend.issuers import IssuerSettings, secure_url
from napari_hmz.errors import SettingsInvalid

DISCOVERY: Final = "/.well-known/openid-configuration"
MADE_UP: Final = "hmz-check-token-that-nobody-has"
GROUP_CLAIMS: Final = {"entitlements", "eduperson_entitlement"}
ENDPOINTS: Final = {
    "keys": "jwks_uri",
    "introspection": "introspection_endpoint",
    "userinfo": "userinfo_endpoint",
}


@dataclass(frozen=True, slots=True)
class IssuerCheck:
    """Looks at one issuer."""

    issuer: IssuerSettings

    @property
    def subject(self) -> str:
        """Which issuer."""
        return f"issuer {self.issuer.url}"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with it."""
        try:
            answer = asked("GET", self.issuer.url + DISCOVERY)
        except NoAnswer as error:
            return [wrong(f"It cannot be reached: {error}.", "Look at url, network and proxy.")]
        if answer.status != OK or "issuer" not in answer.document:
            words = f"There is no issuer: {DISCOVERY} is answered with {answer.status}."
            return [wrong(words, "Correct url: it is what tokens have as iss.")]
        return list(self._look_at(answer.document))

    def _look_at(self, metadata: Mapping[str, Any]) -> Iterator[Finding]:
        named = str(metadata["issuer"])
        if named.removesuffix("/") != self.issuer.url:
            yield wrong(f"It calls itself {named}: no token would fit.", f'Set url = "{named}".')
            return
        found = [*self._endpoints(metadata), *self._desktop(metadata), *self._groups(metadata)]
        yield from found
        if not found:
            yield ok(f"It answers, and tokens can be checked ({', '.join(self.issuer.check)}).")

    def _endpoints(self, metadata: Mapping[str, Any]) -> Iterator[Finding]:
        for way in self.issuer.check:
            try:
                url = secure_url(str(metadata.get(ENDPOINTS[way])))
            except ValueError:
                words = f"It has no {ENDPOINTS[way]} of use, so tokens cannot be checked by {way}."
                yield wrong(words, f'Take "{way}" out of check.')
                continue
            try:
                if way == "keys":
                    yield from _keys(url)
                elif way == "introspection":
                    yield from self._introspection(url)
            except NoAnswer as error:
                yield wrong(f"{url} cannot be asked: {error}.", "Look at network and proxy.")

    def _introspection(self, url: str) -> Iterator[Finding]:
        try:
            secret = self.issuer.secret().get_secret_value()
        except SettingsInvalid:
            return  # the check of secrets tells it
        user = (form_encoded(self.issuer.client_id), form_encoded(secret))
        status = asked("POST", url, form={"token": MADE_UP}, user=user).status
        if status in (400, 401, 403):
            words = f"It does not accept {self.issuer.client_id} with its secret for introspection."
            yield wrong(words, "Correct client_id and the secret, or have it allowed there.")
        elif status != OK:
            words = f"Introspection is answered with {status}."
            yield wrong(words, "Ask those who run the issuer.")

    def _desktop(self, metadata: Mapping[str, Any]) -> Iterator[Finding]:
        desktop = self.issuer.desktop
        if desktop is None:
            return
        if "authorization_endpoint" not in metadata:
            yield wrong("Nobody can sign in there from napari.", "Take [issuers.desktop] out.")
        methods = metadata.get("code_challenge_methods_supported")
        if methods is not None and "S256" not in methods:
            yield wrong("It does not know PKCE with S256.", "Ask those who run the issuer.")
        known = metadata.get("scopes_supported")
        lacking = [scope for scope in desktop.scopes if known and scope not in known]
        if lacking:
            words = f"It has no scopes {', '.join(lacking)}, which desktop asks for."
            yield warning(words, "Name scopes that it has in [issuers.desktop].")

    def _groups(self, metadata: Mapping[str, Any]) -> Iterator[Finding]:
        known = metadata.get("claims_supported")
        if self.issuer.authorities and known and GROUP_CLAIMS.isdisjoint(known):
            words = "It does not say that it tells groups (entitlements, eduperson_entitlement)."
            yield warning(words, 'Ask those who run it, or add "userinfo" to check.')


def _keys(url: str) -> Iterator[Finding]:
    answer = asked("GET", url)
    keys = public_keys(answer.document)
    if not keys:
        words = f"Its keys are of no use (RSA of 2048 bits, EC or Ed25519 are): {url}."
        yield wrong(words, "Ask those who run the issuer.")
        return
    named = {str(key.get("alg")) for key in keys if key.get("alg")}
    if named and named.isdisjoint(ALGORITHMS):
        words = f"It signs with {', '.join(sorted(named))}, which is not accepted."
        yield wrong(words, f"One of {', '.join(ALGORITHMS)} must be used there.")
