"""A JupyterHub: that its API is where the settings say, and asks who is calling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hmz_backend.check.finding import Finding, ok, wrong
from hmz_backend.check.web import OK, NoAnswer, asked
from hmz_backend.issuers import HubSettings

OLDEST: Final = (3, 0)
"""The first version whose tokens have scopes of one's own."""
UNKNOWN: Final = (401, 403)
MEND: Final = "Correct jupyterhub.url; it ends with /hub/api."


@dataclass(frozen=True, slots=True)
class HubCheck:
    """Looks at the hub."""

    hub: HubSettings

    @property
    def subject(self) -> str:
        """Which hub."""
        return f"hub {self.hub.url}"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with it."""
        try:
            told = asked("GET", f"{self.hub.url}/")
            headers = {"Authorization": "token hmz-check-token-that-nobody-has"}
            answer = asked("GET", f"{self.hub.url}/user", headers=headers)
        except NoAnswer as error:
            return [wrong(f"It cannot be reached: {error}.", MEND)]
        version = str(told.document.get("version", ""))
        if told.status != OK or not version or answer.status not in UNKNOWN:
            return [wrong("That is no JupyterHub's API.", MEND)]
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if numbers < OLDEST:
            return [wrong(f"JupyterHub {version} is too old.", "Take 3.0 or newer.")]
        return [ok(f"JupyterHub {version} answers.")]
