"""A principal's weight is the largest of their groups', and outlives a restart with the run."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.database.access import Database
from hmz_backend.dispatch.weights import Weights
from hmz_backend.identity.protocol import Principal
from hmz_backend.runs import records
from hmz_backend.testing.volumes import announcement
from napari_hmz.schema import Run

GOLDEN = Path(__file__).parents[1] / "client" / "golden"
IMAGE = np.zeros((8, 8), np.uint8)
WEIGHTS = Weights({"a": 2.0, "b": 3.0, "c": 0.5}, anonymous=0.1)


@pytest.mark.parametrize(
    ("groups", "weight"), [("", 1.0), ("x", 1.0), ("a", 2.0), ("abc", 3.0), ("c", 0.5)]
)
def test_the_largest_weight_of_the_groups_counts(groups: str, weight: float) -> None:
    share = WEIGHTS.share(Principal("i", "s", frozenset(groups)))
    assert (share.holder, share.weight, share.urgency) == (("i", "s"), weight, "batch")


def test_who_is_not_signed_in_has_a_weight_of_their_own() -> None:
    assert WEIGHTS.share(Principal("i", "", frozenset("b"), frozenset())).weight == 0.1


def test_all_who_are_not_signed_in_share_one_part() -> None:
    first, second = (Principal("anonymous", name, roles=frozenset()) for name in "ab")
    assert WEIGHTS.share(first) == WEIGHTS.share(second)


@pytest.mark.parametrize(
    ("owner", "weight"),
    [
        (Principal("i", "s", frozenset({"a", "b"})), 3.0),
        (Principal("anonymous", "s", roles=frozenset()), 0.1),
    ],
    ids=["member", "anonymous"],
)
def test_a_run_keeps_the_weight_of_its_owner(
    tmp_path: Path, owner: Principal, weight: float
) -> None:
    golden = Run.model_validate_json((GOLDEN / "run.json").read_bytes())
    run = golden.model_copy(update={"state": "running", "results": ()})

    async def check() -> None:
        database = Database.open(f"sqlite:///{tmp_path / 'test.sqlite'}")
        request = announcement(IMAGE, (4, 4))
        volume = run.request.volume
        await database.write(lambda c: records.add_volume(c, owner, volume, request, "now"))
        await database.write(lambda c: records.add_run(c, owner, run, None))
        ((found, again),) = await database.read(lambda c: records.open_runs(c, []))
        database.close()
        assert (found.issuer, found.subject) == (owner.issuer, owner.subject)
        assert (found.groups, found.roles) == (owner.groups, owner.roles)
        assert again.id == run.id
        assert WEIGHTS.share(found).weight == weight

    asyncio.run(check())
