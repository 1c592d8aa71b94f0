"""A cancelled run stops in a real Triton, too: by its own count, what is queued is dropped."""

import time
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.engines.bundled import RunningTriton
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.testing.engine_contract import MODEL, SLOW, SLOW_S
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.zoo.package import load_package
from napari_hmz.schema import wire

pytestmark = pytest.mark.triton
INSTANCES = 1
CHANNEL = {"minimum": 0, "maximum": 255, "mean": 9, "std": 1, "otsu": 20}
MEASURED = {"statistics": {"method": "exact", "sampled_voxels": 9, "channels": [CHANNEL]}}


def executed(server: RunningTriton) -> int:
    """Return how many tiles Triton has computed, by the time that its models took.

    It counts a tile as executed even if the model refuses it at once, as cancelled.
    """
    from tritonclient.grpc import InferenceServerClient

    with InferenceServerClient(server.grpc_url) as client:
        answer = client.get_inference_statistics(f"{MODEL}-1_0_0", as_json=True)
    computed = answer["model_stats"][0]["inference_stats"]["compute_infer"]
    return int(int(computed.get("ns", 0)) / 1e9 // SLOW_S)


def test_triton_computes_only_what_it_was_at_when_the_run_was_cancelled(
    mortal: RunningTriton, packages: Path, tmp_path: Path
) -> None:
    card = load_package(packages / MODEL).card
    image = np.full((64, 128), SLOW, "uint8")
    live = LiveBackend(tmp_path / "data", TritonEngine([mortal.grpc_url]), [card])
    with live, live.client() as http:
        user = User(http, image, (32, 32), MEASURED)
        user.announce()
        run = user.start(MODEL, block={"y": 16, "x": 16}, halo={"y": 0, "x": 0})
        assert run.plan.blocks == 32
        with user.feeding():
            wait_until(lambda: user.get(run.id).progress.blocks_done >= 1)
            user.post(wire.cancel(run.id), None, 200)
            before = executed(mortal)
        time.sleep(3 * SLOW_S)  # whatever was still to come would come now
        assert executed(mortal) - before <= INSTANCES
        image[:] = 7
        quick = User(http, image, (32, 32), MEASURED)
        quick.announce()
        assert quick.finish(quick.start(MODEL).id).state == "done"
