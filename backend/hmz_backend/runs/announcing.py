"""What an announcement must be, and what becomes of a second one of the same image."""

from napari_hmz.errors import AddressRefused, Conflict, DataRefused, SourceUnreadable, VolumeEmpty
from napari_hmz.schema import VolumeRequest
from napari_hmz.schema.codecs import announcement_fault


def check_announcement(request: VolumeRequest, *, is_encrypted: bool) -> None:
    """Refuse what cannot be accepted.

    Raises
    ------
    VolumeEmpty, SourceUnreadable, AddressRefused, DataRefused
        Why it cannot.
    """
    if request.data_class == "sensitive" and not is_encrypted:
        raise DataRefused(
            "This backend takes no sensitive images: its disks are not encrypted.",
            remedy="Choose another backend. Nothing of the image has been sent.",
        )
    if 0 in request.shape.values():
        raise VolumeEmpty("An axis of the image has no voxels.")
    fault = announcement_fault(request)
    if fault:
        raise SourceUnreadable(
            f"The image's chunks cannot be taken as they are: {fault}.",
            remedy="Let the client encode them anew.",
        )
    if request.address is not None:
        raise AddressRefused("This backend reads no addresses yet.")


def merged(known: VolumeRequest, request: VolumeRequest) -> VolumeRequest:
    """Return what is known after a second announcement: the newer words, the older statistics.

    What was sensitive once remains so.

    Raises
    ------
    Conflict
        If another image has been announced with this fingerprint.
    """
    same = all(
        getattr(known, name) == getattr(request, name)
        for name in ("axes", "shape", "chunks", "dtype", "array")
    )
    if not same:
        raise Conflict("Another image has been announced with this fingerprint.")
    kept: dict[str, object] = {"statistics": known.statistics or request.statistics}
    if known.data_class == "sensitive":
        kept["data_class"] = known.data_class
    return request.model_copy(update=kept)
