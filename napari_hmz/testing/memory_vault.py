"""A keyring that forgets, locks and refuses as a test wants."""

from dataclasses import dataclass, field


@dataclass
class MemoryVault:
    """Keeps secrets for one test; `full` takes nothing any more."""

    texts: dict[str, str] = field(default_factory=dict)
    full: bool = False

    def read(self, place: str) -> str | None:
        """Return what is kept for a place."""
        return self.texts.get(place)

    def write(self, place: str, text: str) -> bool:
        """Keep a text for a place, unless it is full."""
        if not self.full:
            self.texts[place] = text
        return not self.full

    def erase(self, place: str) -> None:
        """Keep nothing for a place any more."""
        self.texts.pop(place, None)
