from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_hmz.errors import OutputExists
from napari_hmz.run_output import refuse_in_array


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_output_never_lies_inside_an_array(tmp_path: Path, zarr_format: int) -> None:
    group = zarr.create_group(tmp_path / "image.zarr", zarr_format=zarr_format)  # type: ignore[arg-type] # 2 or 3
    group.create_array("0", data=np.ones((4, 4), np.uint8))
    for inside in ("0/out.zarr", "0/c/out.zarr", "0/labels/deep/out.zarr"):
        with pytest.raises(OutputExists, match=r"lies inside the zarr array .*image\.zarr/0\. "):
            refuse_in_array(tmp_path / "image.zarr" / inside)
    refuse_in_array(tmp_path / "image.zarr" / "labels.zarr")
    refuse_in_array(tmp_path / "beside.zarr")
