"""A small U-Net in two or three dimensions, with sums instead of concatenations at the skips."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Block(nn.Module):  # type: ignore[misc] # torch is not installed where types are checked
    """Two convolutions, the second residual; its statistics are fixed, so tiles are independent."""

    def __init__(self, dimensions: int, inputs: int, outputs: int) -> None:
        super().__init__()
        convolution: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dimensions == 2 else nn.Conv3d
        norm: type[nn.BatchNorm2d | nn.BatchNorm3d] = (
            nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm3d
        )
        self.first = convolution(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = norm(outputs)
        self.second = convolution(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = norm(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Map (b, inputs, spatial...) to (b, outputs, spatial...)."""
        first = functional.relu(self.first_norm(self.first(features)))
        return functional.relu(self.second_norm(self.second(first)) + first)


class UNet(nn.Module):  # type: ignore[misc] # as above
    """Map (b, 1, spatial...) to (b, outputs, spatial...), sizes being multiples of `stride`.

    With `root`, the network also sees the square root of the input, which brings dim objects
    nearer to bright ones.
    """

    def __init__(self, dimensions: int, widths: Sequence[int], outputs: int, *, root: bool) -> None:
        super().__init__()
        pointwise: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dimensions == 2 else nn.Conv3d
        steps = list(pairwise(widths))
        self.root = root
        self.stride = 2 ** len(steps)
        self.stem = _Block(dimensions, 2 if root else 1, widths[0])
        self.down = nn.ModuleList([_Block(dimensions, fine, coarse) for fine, coarse in steps])
        self.lift = nn.ModuleList([pointwise(coarse, fine, 1) for fine, coarse in steps])
        self.up = nn.ModuleList([_Block(dimensions, fine, fine) for fine, _ in steps])
        self.head = pointwise(widths[0], outputs, 1)
        self._pool = functional.max_pool2d if dimensions == 2 else functional.max_pool3d

    def forward(self, image: Tensor) -> Tensor:
        """Give the raw outputs (no final activation)."""
        if self.root:
            image = torch.cat([image, torch.sqrt(torch.clamp(image, min=0.0) + 1e-3)], dim=1)
        features = self.stem(image)
        skips = [features]
        for down in self.down:
            features = down(self._pool(features, 2))
            skips.append(features)
        for level in reversed(range(len(self.up))):
            raised = functional.interpolate(
                self.lift[level](features), scale_factor=2.0, mode="nearest"
            )
            features = self.up[level](skips[level] + raised)
        result: Tensor = self.head(features)
        return result


class Probabilities(nn.Module):  # type: ignore[misc] # as above
    """A network whose outputs all lie in 0..1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Apply the network and the logistic function."""
        return torch.sigmoid(self.network(image))
