"""Look for secrets in the files that git knows: what looks like a key, a token or a password.

`python scripts/scan_secrets.py` leaves with 1 if there is one that `.ci/exceptions.toml` does not
know, or if that knows one that is not there.
"""

import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from detect_secrets import SecretsCollection
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[1]
EXCEPTIONS = ROOT / ".ci" / "exceptions.toml"
KNOWN_FORMS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
RANDOM = (
    {"name": "Base64HighEntropyString", "limit": 4.5},
    {"name": "HexHighEntropyString", "limit": 3.0},
)
"""Quoted letters that are too random for words; the limits are the tool's own."""
FILTERS = (
    "common.is_invalid_file",
    "heuristic.is_sequential_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_templated_secret",
    "heuristic.is_indirect_reference",
)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """Something that looks like a secret."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        """Return where it is, and not what it is."""
        return f"{self.path}:{self.line}: {self.kind}"


@dataclass(frozen=True, slots=True)
class Excepted:
    """What may be found, and why."""

    path: str
    kind: str
    reason: str

    def covers(self, found: Found) -> bool:
        """Return whether it speaks of something that was found."""
        return fnmatch(found.path, self.path) and fnmatch(found.kind, self.kind)


def scan(root: Path, names: Iterable[str]) -> list[Found]:
    """Return what looks like a secret in these files below `root`."""
    plugins = [*({"name": name} for name in KNOWN_FORMS), *RANDOM]
    filters = [{"path": f"detect_secrets.filters.{name}"} for name in FILTERS]
    with transient_settings({"plugins_used": plugins, "filters_used": filters}):
        secrets = SecretsCollection(root=str(root))
        for name in names:
            secrets.scan_file(name)
        return sorted({Found(name, each.line_number, each.type) for name, each in secrets})


def exceptions(text: str) -> list[Excepted]:
    """Read what may be found."""
    return [Excepted(**each) for each in tomllib.loads(text).get("secret", ())]


def faults(found: Sequence[Found], known: Sequence[Excepted]) -> Iterator[str]:
    """Yield what is wrong, one line each: unknown secrets, and exceptions that nothing needs."""
    for each in found:
        if not any(one.covers(each) for one in known):
            yield f"{each} (take it out, and make it worthless where it is good for something)"
    for one in known:
        if not any(one.covers(each) for each in found):
            yield f"{EXCEPTIONS.name}: nothing like {one.kind} in {one.path} is there any more"


def main() -> int:
    """Scan, and say what was found."""
    listed = subprocess.run(  # git, of this project
        ["git", "ls-files", "-z"],  # noqa: S607 # whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name]
    wrong = list(faults(scan(ROOT, names), exceptions(EXCEPTIONS.read_text("utf-8"))))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"secrets: {len(names)} files looked through, {len(wrong)} faults\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
