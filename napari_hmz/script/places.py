"""Where image, results and backend of a run are, as whoever runs it again may say it."""

from pathlib import Path

from napari_hmz.profiles import LOCAL
from napari_hmz.record import RunRecord
from napari_hmz.schema import Run

IMAGE = "IMAGE"
"""Stands for an image that was in memory only, or lies nobody here knows where."""
_SUFFIXES = (".ome.zarr", ".zarr")


def output_again(run: Run, record: RunRecord | None) -> str:
    """Return where the repetition may write: beside the results of the run, which stay."""
    if record is None or record.output is None:
        return f"{run.plan.model}.ome.zarr"
    path = Path(record.output)
    suffix = next((known for known in _SUFFIXES if path.name.endswith(known)), path.suffix)
    return str(path.with_name(f"{path.name.removesuffix(suffix)}-again{suffix}"))


def backend_words(record: RunRecord | None) -> dict[str, str]:
    """Return which backend to connect to, as keywords of `connect`; none: as the settings say.

    There is never a token among them.
    """
    if record is None:
        return {}
    if record.profile:
        return {"profile": record.profile}
    if record.local_engine:  # its address is another one tomorrow
        return {"profile": LOCAL, "engine": record.local_engine}
    return {"url": without_secrets(record.url)}


def without_secrets(address: str) -> str:
    """Return an address without the parts of a URL that may hold a password or a signature."""
    scheme, is_url, rest = address.partition("://")
    if not is_url:
        return address
    place = rest.partition("#")[0].partition("?")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
