"""Synthetic confocal volumes of nuclei: exact shapes, and what a microscope would see."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Shapes in a volume (z, y, x): labels, 0 = background, and depth inside each object (0..1)."""

    labels: npt.NDArray[np.int32]
    depth: FloatArray


@dataclass(frozen=True)
class Tissue:
    """What the nuclei of one scene have in common."""

    diameter_px: float
    flatness: float
    spread: float
    roughness: float
    crowding: float
    layers: bool


def random_tissue(random: np.random.Generator) -> Tissue:
    """Draw a tissue: small or large, flat or round, loose or crowded, monolayer or solid."""
    return Tissue(
        diameter_px=float(np.exp(random.uniform(np.log(11), np.log(34)))),
        flatness=float(random.uniform(0.4, 1.15)),
        spread=float(random.uniform(0.05, 0.25)),
        roughness=float(random.uniform(0.0, 0.16)),
        crowding=float(random.uniform(0.05, 0.75)),
        layers=bool(random.random() < 0.5),
    )


def _rotation(random: np.random.Generator, layers: bool) -> npt.NDArray[np.float64]:
    """Give a rotation matrix (z, y, x): free, or for a monolayer mostly about the z axis."""
    angle = random.uniform(0, 2 * np.pi)
    about_z = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    tilt = random.normal(0, 0.15) if layers else random.uniform(0, np.pi)
    about_x = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    return np.asarray(about_z @ about_x)


def _nucleus(
    tissue: Tissue, random: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """Give the depth (z, y, x) of one lumpy, bent ellipsoid in its own box; 0 outside."""
    size = tissue.diameter_px * np.exp(random.normal(0, tissue.spread)) / 2
    stretch = np.exp(random.normal(0, 0.18))
    axes = np.array(
        [size * tissue.flatness * np.exp(random.normal(0, 0.08)), size * stretch, size / stretch]
    )
    reach = int(np.ceil(axes.max() * 1.3)) + 1
    grid = (
        np.indices((2 * reach + 1,) * 3).reshape(3, -1) - reach + random.uniform(-0.5, 0.5, (3, 1))
    )
    points = (_rotation(random, tissue.layers) @ grid) / axes[:, None]
    points[1] += random.normal(0, 1.2 * tissue.roughness) * (points[2] ** 2 - 0.3)
    radius = np.sqrt((points**2).sum(axis=0))
    direction = points / np.maximum(radius, 1e-6)
    z, y, x = direction
    lumps = np.stack([y * x, z * x, z * y, x**2 - y**2, x**3, y**3, x * x * y, z * (x**2 - y**2)])
    surface = np.exp(random.normal(0, tissue.roughness, len(lumps)) @ lumps)
    depth = np.clip(1 - (radius / surface) ** 2, 0, None).astype(np.float32)
    return depth.reshape((2 * reach + 1,) * 3), axes


def random_scene(shape: tuple[int, int, int], random: np.random.Generator) -> Scene:
    """Fill a volume (z, y, x) with nuclei of a random tissue."""
    return fill(shape, random_tissue(random), random)


def fill(shape: tuple[int, int, int], tissue: Tissue, random: np.random.Generator) -> Scene:
    """Fill a volume (z, y, x) with nuclei that may touch, and overlap by up to a fifth."""
    labels = np.zeros(shape, dtype=np.int32)
    depth = np.zeros(shape, dtype=np.float32)
    volume = tissue.flatness * np.pi / 6 * tissue.diameter_px**3
    attempts = int(min(400, 1 + 2.5 * tissue.crowding * labels.size / volume))
    middle = random.uniform(0.25, 0.75) * shape[0]
    count = 0
    for _ in range(attempts):
        own, axes = _nucleus(tissue, random)
        centre = random.uniform(-0.1, 1.1, 3) * shape
        if tissue.layers:
            centre[0] = random.normal(middle, 0.35 * axes[0])
        if _place(labels, depth, own, np.round(centre).astype(int), count + 1):
            count += 1
    return Scene(labels, depth)


def _place(
    labels: npt.NDArray[np.int32],
    depth: FloatArray,
    own: FloatArray,
    centre: npt.NDArray[np.int_],
    number: int,
) -> bool:
    """Put one nucleus into the scene unless it overlaps others too much; say whether."""
    reach = own.shape[0] // 2
    into, out = [], []
    for middle, size in zip(centre, labels.shape, strict=True):
        start, stop = max(0, middle - reach), min(size, middle + reach + 1)
        if start >= stop:
            return False
        into.append(slice(start, stop))
        out.append(slice(start - middle + reach, stop - middle + reach))
    box, part = tuple(into), own[tuple(out)]
    inside = part > 0
    taken = inside & (labels[box] > 0)
    if inside.sum() < 40 or taken.sum() > 0.2 * inside.sum():
        return False
    wins = inside & (part > depth[box])
    labels[box][wins] = number
    depth[box][wins] = part[wins]
    return True


def _smooth(shape: tuple[int, ...], sigma: float, random: np.random.Generator) -> FloatArray:
    """Give smooth noise of zero mean and unit deviation, made on a coarse grid for speed."""
    step = max(1, int(sigma))
    coarse = random.standard_normal(tuple(-(-size // step) + 2 for size in shape)).astype(
        np.float32
    )
    field = ndimage.zoom(ndimage.gaussian_filter(coarse, sigma / step), step, order=1)
    field = field[tuple(slice(0, size) for size in shape)]
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), dtype=np.float32)


def _chromatin(scene: Scene, random: np.random.Generator) -> FloatArray:
    """Give the stain's density (z, y, x): brightness per object, texture, rim, nucleoli, spots.

    A few objects are bright and broken up, as chromosomes are in mitosis: still one object each.
    """
    amount = int(scene.labels.max()) + 1
    brightness = np.exp(random.normal(0, random.uniform(0.05, 0.5), amount)).astype(np.float32)
    mitotic = random.random(amount) < 0.06
    brightness[mitotic] *= random.uniform(1.5, 3.0)
    brightness[0] = 0
    density = brightness[scene.labels] * np.minimum(1, scene.depth * random.uniform(3, 12))
    if mitotic[1:].any():
        clumps = _smooth(scene.labels.shape, random.uniform(2.0, 3.5), random) > 0
        gaps = mitotic[scene.labels] & ~clumps
        density[gaps] *= random.uniform(0.02, 0.3)
    fine = _smooth(scene.labels.shape, random.uniform(0.7, 2.5), random)
    density *= np.exp(random.uniform(0, 0.45) * fine)
    if random.random() < 0.5:
        density *= 1 + random.uniform(0, 0.8) * (scene.depth < 0.3)
    if random.random() < 0.6:
        spots = _smooth(scene.labels.shape, random.uniform(1.0, 2.5), random)
        density *= np.where(spots > 1.8, random.uniform(0.2, 2.5), 1.0)
    return np.asarray(density, dtype=np.float32)


def render(scene: Scene, random: np.random.Generator) -> FloatArray:
    """Give a microscope's image (z, y, x) of a scene, normalised by percentiles."""
    density = _chromatin(scene, random)
    shape = density.shape
    if random.random() < 0.5:
        debris = _smooth(shape, random.uniform(0.6, 2.0), random)
        density += (debris > random.uniform(3.3, 4.5)) * random.uniform(0.2, 2.0)
    lateral = random.uniform(0.2, 1.3)
    axial = lateral * random.uniform(1.0, 2.8)
    image = ndimage.gaussian_filter(density, (axial, lateral, lateral))
    haze = ndimage.gaussian_filter(
        density, (random.uniform(3, 8), random.uniform(3, 6), random.uniform(3, 6))
    )
    image += random.uniform(0, 0.5) * haze + random.uniform(0, 0.35)
    if random.random() < 0.6:
        # Light from nuclei far out of focus: soft clouds in planes where nothing lies.
        wide = random.uniform(5, 10)
        image += random.uniform(0, 1.2) * ndimage.gaussian_filter(
            density, (random.uniform(6, 12), wide, wide), truncate=2.5
        )
    image *= np.exp(random.uniform(0, 0.3) * _smooth(shape, 24.0, random))
    image *= np.exp(-random.uniform(0, 0.8) * np.linspace(0, 1, shape[0], dtype=np.float32))[
        :, None, None
    ]
    photons = np.exp(random.uniform(np.log(15), np.log(1500)))
    readout = np.exp(random.uniform(np.log(0.003), np.log(0.08)))
    image += random.standard_normal(shape, dtype=np.float32) * np.sqrt(
        np.maximum(image, 0) / photons + readout**2
    )
    low, high = np.percentile(image, (1.0, 99.8))
    return np.asarray((image - low) / max(high - low, 1e-6), dtype=np.float32)
