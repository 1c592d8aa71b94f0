"""What is written and shown at the same time is fetched once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz.client import Client
from napari_hmz.http import Http
from napari_hmz.live import Begun, Ended, perform
from napari_hmz.sources import open_source


def test_a_final_chunk_travels_once_to_disk_and_canvas(
    *,
    client: Client,
    blobs: Callable[..., NDArray[Any]],
    labels_of: Callable[..., NDArray[Any]],
    written: Callable[[Path], NDArray[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: Counter[str] = Counter()
    get = Http.get_bytes

    def counted(self: Http, path: str, **how: Any) -> bytes:  # noqa: ANN401 # as `get_bytes` takes it
        asked[path] += "/outputs/labels/c/" in path
        return get(self, path, **how)

    monkeypatch.setattr(Http, "get_bytes", counted)
    image = blobs()
    output = tmp_path / "o.ome.zarr"
    begun, *_, ended = perform(
        lambda: client.run(
            "components",
            open_source(image, axes="zyx"),
            output=output,
            parameters={"threshold": 36000},
            block={"z": 16, "y": 24, "x": 24},
        )
    )
    assert isinstance(begun, Begun)
    assert isinstance(ended, Ended)
    np.testing.assert_array_equal(begun.canvases["labels"].array, labels_of(image))
    np.testing.assert_array_equal(written(output), labels_of(image))
    chunks = begun.run.plan.blocks
    assert chunks <= asked.total() <= 2 * chunks  # once with provisional labels, once with final
