"""Secrets do not get into the log: whatever looks like one is left out of every line.

No line is meant to have one. This is the net below: texts of foreign errors say what they like.
"""

import re
from typing import Final

HIDDEN: Final = "***"
_NAMES: Final = "(?:access_|refresh_|id_)?token|client_secret|code_verifier|passw(?:or)?d"
_SHAPES: Final = (
    (re.compile(r"(?i)\b(bearer|basic|token)[ :]+[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}"), HIDDEN),
    (re.compile(r"\bhmz_[0-9a-f]{16}_[A-Za-z0-9_-]+"), HIDDEN),
    (re.compile(r"\banonymous_[A-Za-z0-9_-]{22,}"), HIDDEN),
    (re.compile(rf"(?i)\b({_NAMES})([\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;)}}\]]+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), f"://{HIDDEN}@"),
)


def without_secrets(text: str) -> str:
    """Return a text in which what looks like a secret is hidden."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text
