"""Tiles without content: skipped where the model says so, and only if it is true."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.planning import Block
from hmz_backend.runs.blanks import Blanks
from hmz_backend.runs.tiles import Tiles
from hmz_backend.testing.cards import CARDS, MODELS, VERSION
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import encoded_chunks
from napari_hmz.schema import ModelCard, Run, wire

BLOCK = {"z": 4, "y": 8, "x": 8}
CHUNKS = (8, 16, 16)


def sparse() -> NDArray[np.uint8]:
    image = np.zeros((20, 50, 44), np.uint8)
    image[3:9, 5:17, 5:12] = 255
    image[18:, 40:, 40:] = 255
    return image


def declared(card: ModelCard) -> ModelCard:
    return card.model_copy(update={"tile": card.tile.model_copy(update={"skip_empty": True})})


def run_on(
    folder: Path, engine: FakeEngine, model: str, *, skip: bool, image: NDArray[np.uint8]
) -> tuple[Run, NDArray[Any]]:
    cards = [declared(card) if skip else card for card in CARDS]
    with LiveBackend(folder, engine, cards) as live, live.client() as http:
        user = User(http, image, CHUNKS)
        user.announce()
        chunks = encoded_chunks(image, CHUNKS)
        absent = [key for key in chunks if not part(image, key).any()]
        user.post(wire.absent(user.volume), {"keys": absent})
        for key in set(chunks) - set(absent):
            user.put(key, chunks[key])
        run = user.finish(user.start(model, block=BLOCK).id)
        return run, user.output(run.id, run.plan.outputs[0].name)


def part(image: NDArray[np.uint8], key: str) -> NDArray[np.uint8]:
    index = [int(number) for number in key.split("/")[1:]]
    return image[tuple(slice(i * c, i * c + c) for i, c in zip(index, CHUNKS, strict=True))]


@pytest.mark.parametrize("model", ["copy", "blended", "components"])
def test_skipping_changes_nothing_but_the_work(tmp_path: Path, model: str) -> None:
    image, engines = sparse(), (FakeEngine(MODELS), FakeEngine(MODELS))
    whole, expected = run_on(tmp_path / "whole", engines[0], model, skip=False, image=image)
    run, found = run_on(tmp_path / "skipped", engines[1], model, skip=True, image=image)
    assert run.results == whole.results
    assert run.progress.blocks_done == run.plan.blocks == len(engines[0].requests)
    np.testing.assert_array_equal(found, expected)
    with_content = sum(bool(request.inputs["image"].any()) for request in engines[0].requests)
    shapes = {request.inputs["image"].shape for request in engines[0].requests}
    in_the_air = 16  # blank tiles that were sent before the first of their shape had come back
    most = with_content + len(shapes) + in_the_air
    assert with_content < len(engines[1].requests) <= most < len(engines[0].requests)


@pytest.mark.parametrize("model", ["copy", "blended", "components"])
def test_most_tiles_of_absent_chunks_are_not_even_cut(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, once = list[int](), Tiles.cut

    def counted(tiles: Tiles, block: Block) -> TileRequest:
        cut.append(block.index)
        return once(tiles, block)

    monkeypatch.setattr(Tiles, "cut", counted)
    image = np.zeros((8, 128, 128), np.uint8)
    image[2:6, 3:9, 4:12] = 255
    run, found = run_on(tmp_path, FakeEngine(MODELS), model, skip=True, image=image)
    assert run.progress.blocks_done == run.plan.blocks == 512
    assert len(cut) < 150  # first ones of each place at an edge, and what was in the air by then
    assert found.any()
    assert not found[:, 16:].any()


def test_a_declaration_that_is_not_true_of_these_parameters_skips_nothing(tmp_path: Path) -> None:
    def inverted(request: TileRequest) -> Mapping[str, NDArray[Any]]:
        return {"out": 255 - np.asarray(request.inputs["image"])}

    engine = FakeEngine({("copy", VERSION): inverted})
    run, found = run_on(tmp_path, engine, "copy", skip=True, image=sparse())
    assert len(engine.requests) == run.plan.blocks
    np.testing.assert_array_equal(found, 255 - sparse())


def tile(value: int, shape: tuple[int, ...] = (4, 4)) -> TileRequest:
    return TileRequest("m", "1", {"image": np.full(shape, value, np.uint8)}, {})


def test_only_the_same_tile_again_is_known() -> None:
    blanks = Blanks(declared=True)
    blank = blanks.recognise(tile(0))
    assert blank is not None
    assert blanks.results(blank) is None
    blanks.learn(blank, {"labels": np.zeros((4, 4), np.uint32)})
    known = blanks.results(blank)
    assert known is not None
    assert (known["labels"].shape, known["labels"].dtype.name) == ((4, 4), "uint32")
    for other in (tile(1), tile(0, (4, 5))):
        unknown = blanks.recognise(other)
        assert unknown is not None
        assert blanks.results(unknown) is None
    spot = tile(0)
    image = np.array(spot.inputs["image"])
    image[2, 2] = 1
    assert blanks.recognise(TileRequest("m", "1", {"image": image}, {})) is None
    assert Blanks(declared=False).recognise(tile(0)) is None


def test_many_threads_may_learn_at_once() -> None:
    blanks = Blanks(declared=True)

    def work(value: int) -> None:
        blank = blanks.recognise(tile(value))
        assert blank is not None
        blanks.learn(blank, {"labels": np.zeros(1)})

    threads = [threading.Thread(target=work, args=(n % 3,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for value in range(3):
        blank = blanks.recognise(tile(value))
        assert blank is not None
        assert blanks.results(blank) is not None
