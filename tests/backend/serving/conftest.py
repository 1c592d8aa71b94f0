"""Tiny tiles, steps of packages, and statistics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


def image(shape: tuple[int, ...] = (1, 21, 34), dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(3).integers(0, 250, shape).astype(dtype)


def statistics(*arrays: NDArray[Any]) -> dict[str, Any]:
    levels = np.linspace(0, 100, 2001)
    return {
        "channels": [
            {
                "minimum": float(array.min()),
                "maximum": float(array.max()),
                "mean": float(array.mean()),
                "std": float(array.std()),
                "levels": levels.tolist(),
                "quantiles": np.percentile(array, levels).tolist(),
                "otsu": 120.0,
            }
            for array in arrays
        ]
    }


def custom(code: str, name: str, **kwargs: object) -> dict[str, Any]:
    return {
        "pre": [FLOAT],
        "post": [
            {
                "id": "custom",
                "source": "step.py",
                "sha256": "SHA256:step.py",
                "callable": name,
                "kwargs": kwargs,
            }
        ],
        "files": {"step.py": code},
    }


ADD = "def add(amount=0.0, otsu=0.0):\n    return lambda x: x + amount + (otsu or 0.0)\n"
