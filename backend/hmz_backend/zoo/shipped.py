"""Where the model packages are that come with the project."""

from pathlib import Path

import hmz_backend


def shipped_models() -> Path:
    """Return the folder of the shipped packages: `models/` of a checkout, or that of a wheel."""
    package = Path(hmz_backend.__file__).parent
    checkout = package.parents[1] / "models"
    return checkout if (checkout / "components").is_dir() else package / "models"
