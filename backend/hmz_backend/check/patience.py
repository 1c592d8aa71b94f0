"""How long checks wait."""

from typing import Final

ANSWER_S: Final = 5.0
"""For one answer of a server."""
ALL_S: Final = 30.0
"""For all checks together, since they run side by side."""
