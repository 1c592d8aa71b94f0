"""Random variations of training images; every random number comes from one generator."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Range:
    """An interval from which numbers are drawn."""

    low: float
    high: float

    def draw(self, generator: torch.Generator) -> float:
        """Draw one number evenly."""
        share = float(torch.rand((), generator=generator).item())
        return self.low + (self.high - self.low) * share

    def draw_log(self, generator: torch.Generator) -> float:
        """Draw one number evenly on a logarithmic scale."""
        return math.exp(Range(math.log(self.low), math.log(self.high)).draw(generator))


def chance(probability: float, generator: torch.Generator) -> bool:
    """Say yes with the given probability."""
    return bool(torch.rand((), generator=generator).item() < probability)


def smooth_noise(size: int, cells: int, generator: torch.Generator) -> Tensor:
    """Give a smooth, about standard normal field (size, size) of `cells` values per axis."""
    coarse = torch.randn((1, 1, cells, cells), generator=generator)
    return functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)[
        0, 0
    ]


def random_grid(
    shape: tuple[int, int],
    crop_px: int,
    zoom: float,
    centre: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Give a grid (1, crop_px, crop_px, 2) near `centre` (y, x), randomly rotated and bent.

    `zoom` > 1 magnifies. The crop is moved at random by up to a third, and back so that most of
    it lies inside an image of `shape` (y, x).
    """
    angle = Range(0.0, 2 * math.pi).draw(generator)
    stretch = Range(0.85, 1.18).draw_log(generator)
    flip = -1.0 if chance(0.5, generator) else 1.0
    steps = (torch.arange(crop_px, dtype=torch.float32) - (crop_px - 1) / 2) / zoom
    rows, columns = torch.meshgrid(steps * stretch, steps * flip / stretch, indexing="ij")
    bend = Range(0.0, 2.5).draw(generator) / zoom
    rows = rows + bend * smooth_noise(crop_px, 5, generator)
    columns = columns + bend * smooth_noise(crop_px, 5, generator)
    half = 0.5 * crop_px / zoom
    centres = []
    for size, middle in zip(shape, centre, strict=True):
        margin = min(half, size / 2)
        moved = middle + Range(-0.6, 0.6).draw(generator) * half
        centres.append(min(max(moved, margin), size - margin))
    y = centres[0] + rows * math.cos(angle) - columns * math.sin(angle)
    x = centres[1] + rows * math.sin(angle) + columns * math.cos(angle)
    return torch.stack([2 * x / (shape[1] - 1) - 1, 2 * y / (shape[0] - 1) - 1], dim=-1)[None]


def blur(image: Tensor, sigma_px: float) -> Tensor:
    """Blur an image (y, x) by a Gaussian."""
    radius = max(1, math.ceil(2.5 * sigma_px))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[None, None], (radius,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel[None, None, :, None])
    return functional.conv2d(rows, kernel[None, None, None, :])[0, 0]


def vary_objects(image: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Change the brightness of each object of an image (y, x) on its own, and the background's."""
    objects, inverse = torch.unique(labels, return_inverse=True)
    factors = torch.exp(0.45 * torch.randn(objects.shape, generator=generator))
    factors[0] = Range(0.7, 1.4).draw(generator)
    return image * blur(factors[inverse], 1.0)


def texture(image: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply an image (y, x) by random textures, coarse (uneven light) and fine (chromatin)."""
    size = image.shape[-1]
    if chance(0.5, generator):
        image = image * torch.exp(
            Range(0.0, 0.4).draw(generator) * smooth_noise(size, 3, generator)
        )
    if chance(0.5, generator):
        cells = round(size / Range(3.0, 12.0).draw(generator))
        image = image * torch.exp(
            Range(0.0, 0.35).draw(generator) * smooth_noise(size, cells, generator)
        )
    return image


def _spread(mask: Tensor, length_px: float, generator: torch.Generator) -> Tensor:
    """Smear a mask (y, x) by a tilted, displaced Gaussian of about `length_px`; the peak is 1."""
    coarse = functional.avg_pool2d(mask[None, None], 4)
    long, short = (
        length_px / 4 * Range(*limits).draw(generator) for limits in ((0.4, 1.3), (0.25, 0.6))
    )
    radius = min(coarse.shape[-1] // 2 - 1, math.ceil(2 * long))
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    angle = Range(0.0, math.pi).draw(generator)
    along = y * math.cos(angle) + x * math.sin(angle) - long * Range(-0.6, 0.6).draw(generator)
    across = x * math.cos(angle) - y * math.sin(angle)
    kernel = torch.exp(-0.5 * ((along / long) ** 2 + (across / short) ** 2))
    smeared = functional.conv2d(coarse, kernel[None, None], padding=radius)
    smeared = smeared / smeared.max().clamp(min=1e-6)
    return functional.interpolate(smeared, size=mask.shape, mode="bicubic", align_corners=False)[
        0, 0
    ]


def cytoplasm(
    image: Tensor, labels: Tensor, diameter_px: float, generator: torch.Generator
) -> Tensor:
    """Add a dim, textured cell body around some nuclei of an image (y, x) with labels (y, x)."""
    size = image.shape[-1]
    inside = labels > 0
    if not inside.any():
        return image
    level = image[inside].mean().clamp(min=0.05)
    for _ in range(1 + int(Range(0.0, 3.0).draw(generator))):
        chosen = torch.rand((int(labels.max()) + 1,), generator=generator) < 0.5
        chosen[0] = False
        body = _spread(chosen[labels.long()].float(), diameter_px, generator)
        rough = body + 0.1 * smooth_noise(size, max(4, round(size / diameter_px * 2)), generator)
        edge = Range(0.01, 0.08).draw_log(generator)
        shape = torch.sigmoid((rough - Range(0.15, 0.5).draw(generator)) / edge)
        cells = round(size / Range(2.0, 8.0).draw(generator))
        grain = torch.exp(Range(0.0, 0.25).draw(generator) * smooth_noise(size, cells, generator))
        strength = level * Range(0.08, 0.6).draw_log(generator)
        image = image + strength * shape * (0.5 + 0.5 * body) * grain
    return image


def camera(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change gamma, focus, noise, gain and offset of a normalised image (y, x)."""
    image = torch.clamp(image, min=0.0)
    if chance(0.6, generator):
        image = (image + 1e-4) ** Range(0.6, 1.5).draw_log(generator)
    if chance(0.4, generator):
        image = blur(image, Range(0.4, 2.2).draw(generator))
    if chance(0.3, generator):
        image = image + Range(0.0, 0.15).draw(generator) * torch.exp(
            0.5 * smooth_noise(image.shape[-1], 3, generator)
        )
    if chance(0.7, generator):
        photons = Range(30.0, 3000.0).draw_log(generator)
        readout = Range(0.001, 0.05).draw_log(generator)
        image = image + torch.randn(image.shape, generator=generator) * torch.sqrt(
            image / photons + readout**2
        )
    if chance(0.3, generator):
        levels = Range(40.0, 255.0).draw_log(generator)
        image = torch.round(image * levels) / levels
    return image * Range(0.6, 1.5).draw_log(generator) + Range(-0.03, 0.05).draw(generator)
