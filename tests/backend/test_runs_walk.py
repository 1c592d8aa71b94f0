import numpy as np

from hmz_backend.testing.user import User


def test_a_volume_goes_through_and_comes_back(user: User) -> None:
    user.announce()
    run = user.start("copy")
    assert run.state == "queued"
    assert run.plan.blocks > 4
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert done.progress.blocks_done == done.plan.blocks
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)
