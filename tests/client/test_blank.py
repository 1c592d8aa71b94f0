import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from napari_hmz.blank import is_blank


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32, np.bool_]),
        npst.array_shapes(min_dims=1, max_dims=4, max_side=20),
        elements=st.just(0),
    ),
    st.data(),
)
def test_one_voxel_anywhere_is_enough(array: "NDArray[np.generic]", data: st.DataObject) -> None:
    assert is_blank(array)
    place = tuple(data.draw(st.integers(0, extent - 1)) for extent in array.shape)
    array[place] = 1
    assert not is_blank(array)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e-45])
def test_what_is_no_plain_number_is_something(value: float) -> None:
    array = np.zeros((9, 9), np.float32)
    array[7, 7] = value
    assert not is_blank(array)


def test_minus_zero_is_nothing() -> None:
    assert is_blank(np.full((9, 9), -0.0, np.float32))
