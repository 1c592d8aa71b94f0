"""What each route lets whom do, said beside the route; a route that says nothing fails a test.

The services behind the routes hold to it (`access`), whichever way a request comes in. The access
matrix of the tests asks every route as every kind of caller, and compares with what is said here.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastapi import Depends, params


class Rule(Enum):
    """Who may use a route."""

    OPEN = "everybody"
    KNOWN = "whoever the backend knows; they are told what they may see"
    PERSON = "whoever is known, about themselves"
    METRICS = "admins, and whoever has the token that is meant for it"
    MODEL = "who may see the model"
    RUN_INPUTS = "who may see the model and the volume"
    VOLUME_READ = "owner of the volume, and those it is shared with"
    VOLUME_CONTINUE = "owner of the volume, and those it is shared with to go on"
    VOLUME_OWN = "owner of the volume"
    RUN_READ = "owner of the run, and those it is shared with"
    RUN_CONTINUE = "owner of the run, and those it is shared with to go on"
    RUN_OWN = "owner of the run"


@dataclass(frozen=True, slots=True)
class Declared:
    """A dependency that only says which rule holds."""

    rule: Rule

    async def __call__(self) -> None:
        """Do nothing: it is there to be read."""


def _rule(rule: Rule) -> list[params.Depends]:
    return [Depends(Declared(rule))]


OPEN: Final = _rule(Rule.OPEN)
KNOWN: Final = _rule(Rule.KNOWN)
PERSON: Final = _rule(Rule.PERSON)
METRICS: Final = _rule(Rule.METRICS)
MODEL: Final = _rule(Rule.MODEL)
RUN_INPUTS: Final = _rule(Rule.RUN_INPUTS)
VOLUME_READ: Final = _rule(Rule.VOLUME_READ)
VOLUME_CONTINUE: Final = _rule(Rule.VOLUME_CONTINUE)
VOLUME_OWN: Final = _rule(Rule.VOLUME_OWN)
RUN_READ: Final = _rule(Rule.RUN_READ)
RUN_CONTINUE: Final = _rule(Rule.RUN_CONTINUE)
RUN_OWN: Final = _rule(Rule.RUN_OWN)
