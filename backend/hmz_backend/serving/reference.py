"""Names for objects of `bioimageio.spec` and `.core`, whose types strict checking cannot read."""

from typing import Any, TypeAlias

TensorDescription: TypeAlias = Any
"""`v0_5.InputTensorDescr` or `v0_5.OutputTensorDescr`."""
AxisDescription: TypeAlias = Any
"""One axis of a tensor description."""
SizeDescription: TypeAlias = Any
"""A fixed extent, `ParameterizedSize`, `SizeReference` or none."""
StepDescription: TypeAlias = Any
"""One declared pre- or post-processing step."""
Operator: TypeAlias = Any
"""An operator of `bioimageio.core`, made from a step."""
Measure: TypeAlias = Any
"""A mean, std, var or quantile, of a sample or a data set."""
MeasureValue: TypeAlias = Any
"""A float, or a `bioimageio.core.Tensor` of one value per channel."""
Tensor: TypeAlias = Any
"""`bioimageio.core.Tensor`: an array with named axes."""
Sample: TypeAlias = Any
"""`bioimageio.core.Sample`: tensors by name, and their measures."""
LabelledArray: TypeAlias = Any
"""`xarray.DataArray`, which a `Tensor` holds."""
