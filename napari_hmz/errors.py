"""The error tree: every failure has a stable code, a sentence, and what to do next.

```
HmzError
├── RequestError              what was asked cannot be done as asked (4xx)
│   ├── NotSignedIn, SignInFailed, Suspended, ScopeMissing, NotFound, NotAllowed
│   ├── RequestMalformed, RequestTooLarge, DataRefused
│   ├── Conflict              ├── OutputExists, OutputInUse
│   ├── OutputUnwritable, AxesMismatch, VoxelSizeMismatch, ParameterInvalid, DtypeUnsuitable
│   ├── VolumeEmpty, RegionInvalid, PlanImpossible, SourceUnreadable, AddressRefused
│   └── ChunkRejected         ├── ChunkCorrupt, ChunkTooLarge, DigestMismatch
├── DataError                 the pixels are not what was announced
│   └── NonFiniteData
├── PackageError              a model package cannot be trusted
│   └── PackageFileMissing, PackageDigestWrong, PickleRefused, PackageInvalid, NotReproduced
├── ResourceError             something ran out
│   └── DiskFull, QuotaExceeded, ServerBusy (LimitReached)
├── UnavailableError          another part is down or too old
│   ├── BackendUnreachable, BackendTooOld, ClientTooOld, EngineUnavailable, EngineBusy
│   └── IssuerUnavailable
├── EngineFailed, RunFailed, RunCancelled, SettingsInvalid
├── LocalBackendFailed, LocalBackendStopped
└── InternalError             a bug of ours
```

Problem details (RFC 9457) carry them over the wire: `schema.to_problem` on the one side,
`from_problem` on the other, so that a client catches the class that the backend raised.
"""

from typing import ClassVar, Protocol


class ProblemLike(Protocol):
    """The fields of a problem document that make an error again."""

    @property
    def code(self) -> str:
        """Stable code."""

    @property
    def detail(self) -> str:
        """What happened."""

    @property
    def remedy(self) -> str:
        """What to do next."""

    @property
    def request_id(self) -> str:
        """Where to find it in the backend's log."""


class HmzError(Exception):
    """The root: anything that napari-hmz raises on purpose.

    Parameters
    ----------
    detail
        What happened, in one sentence, without secrets.
    remedy
        What to do next; the class's own words if not given.
    request_id
        The backend's number of the request, for its log.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    default_remedy: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, remedy: str = "", request_id: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.remedy = remedy or self.default_remedy
        self.request_id = request_id

    def __str__(self) -> str:
        """Return the sentence, and the remedy after it."""
        return f"{self.detail} {self.remedy}".strip()


class RequestError(HmzError):
    """What was asked cannot be done as asked."""

    code = "request"
    status = 422
    title = "The request cannot be carried out"


class RequestMalformed(RequestError):
    """What came is no request of HTTP."""

    code = "request-malformed"
    status = 400
    title = "The request cannot be understood"


class RequestTooLarge(RequestError):
    """A body or a header is longer than any of its kind has to be."""

    code = "request-too-large"
    status = 413
    title = "The request is too large"


class NotSignedIn(RequestError):
    """No credential, or none that the backend accepts."""

    code = "not-signed-in"
    status = 401
    title = "Not signed in"
    default_remedy = "Sign in (`hmz login`), or give the backend's token in HMZ_TOKEN."


class SignInFailed(RequestError):
    """Signing in did not come to its end."""

    code = "sign-in-failed"
    status = 401
    title = "Signing in has failed"
    default_remedy = "Try again; if it fails again, ask the backend's admin."


class Suspended(RequestError):
    """The backend's admin has locked the caller out; signing in again does not help."""

    code = "suspended"
    status = 403
    title = "This account is suspended here"
    default_remedy = "Ask the backend's admin."


class ScopeMissing(RequestError):
    """The credential is good, and not for this: a token that may only read, for example."""

    code = "scope-missing"
    status = 403
    title = "The token is not for this"
    default_remedy = "Sign in, or use a token with that scope (`hmz tokens create --scope`)."


class NotFound(RequestError):
    """It does not exist, or the caller may not see it."""

    code = "not-found"
    status = 404
    title = "Not found"
    default_remedy = "Check the name; `hmz models` and `hmz runs` list what there is."


class NotAllowed(RequestError):
    """The caller may see it, and not do this with it: it is shared with them for less."""

    code = "not-allowed"
    status = 403
    title = "It is not shared with you for this"
    default_remedy = "Ask its owner to share it for more (`hmz share RUN --to continue`)."


class DataRefused(RequestError):
    """The image is declared sensitive, and may not go there."""

    code = "data-refused"
    status = 403
    title = "Such an image may not go there"
    default_remedy = "Choose another backend or model. Nothing of the image has been sent."


class Conflict(RequestError):
    """It contradicts what is there already."""

    code = "conflict"
    status = 409
    title = "This contradicts an earlier request"


class OutputExists(Conflict):
    """The output is there already and would be lost."""

    code = "output-exists"
    title = "The output exists already"
    default_remedy = "Choose another name, or ask for it to be replaced (--overwrite)."


class OutputInUse(Conflict):
    """A living process writes there, on this machine or on another one."""

    code = "output-in-use"
    title = "The output is being written by another process"
    default_remedy = "Wait until that process has ended, end it, or choose another name."


class OutputUnwritable(RequestError):
    """Nothing may be written where the output was to go."""

    code = "output-unwritable"
    status = 403
    title = "The output cannot be written there"
    default_remedy = "Choose a folder that you may write to."


class AxesMismatch(RequestError):
    """The image lacks an axis that the model needs, or has the wrong number of channels."""

    code = "axes-mismatch"
    title = "The image's axes do not fit the model"
    default_remedy = "Name the axes (--axes), choose a channel, or choose another model."


class VoxelSizeMismatch(RequestError):
    """The voxel size is far from what the model was made for."""

    code = "voxel-size-mismatch"
    title = "The voxel size is far from the model's"
    default_remedy = (
        "Rescale the image, correct its voxel size, or run all the same (--any-voxel-size)."
    )


class ParameterInvalid(RequestError):
    """A parameter is unknown, of the wrong type or out of range."""

    code = "parameter-invalid"
    title = "A parameter cannot be used"
    default_remedy = "`hmz show MODEL` lists the parameters and their ranges."


class DtypeUnsuitable(RequestError):
    """The image's data type cannot be converted to the model's without loss."""

    code = "dtype-unsuitable"
    title = "The image's data type does not fit the model"
    default_remedy = "Convert the image first, for example to uint16 or float32."


class VolumeEmpty(RequestError):
    """An axis has no voxels."""

    code = "volume-empty"
    title = "The image has no voxels"
    default_remedy = "Check the image and the region."


class RegionInvalid(RequestError):
    """The region lies outside the image, or names an axis that it lacks."""

    code = "region-invalid"
    title = "The region does not lie in the image"
    default_remedy = "Give a region inside the image's shape."


class PlanImpossible(RequestError):
    """No tile fits the model's rules and the memory at hand."""

    code = "plan-impossible"
    title = "The run cannot be planned"
    default_remedy = "Give a smaller block or halo, or choose another model."


class SourceUnreadable(RequestError):
    """The image cannot be opened or read."""

    code = "source-unreadable"
    title = "The image cannot be read"
    default_remedy = "Check the path and the format; zarr, OME-Zarr, TIFF, HDF5 and NeXus are read."


class AddressRefused(RequestError):
    """The backend must not read from this address."""

    code = "address-refused"
    status = 403
    title = "The backend may not read from this address"
    default_remedy = "Send the image instead, or ask the backend's admin to allow the address."


class ChunkRejected(RequestError):
    """A chunk cannot be accepted."""

    code = "chunk-rejected"
    title = "A chunk was not accepted"
    default_remedy = "Check the source file; a damaged chunk must be repaired or written again."


class ChunkCorrupt(ChunkRejected):
    """A chunk does not decode."""

    code = "chunk-corrupt"
    title = "A chunk is damaged"


class ChunkTooLarge(ChunkRejected):
    """A chunk decodes to another size than was announced."""

    code = "chunk-too-large"
    status = 413
    title = "A chunk is not of the announced size"


class DigestMismatch(ChunkRejected):
    """The bytes changed on the way."""

    code = "digest-mismatch"
    status = 400
    title = "The bytes that came are not the bytes that were sent"
    default_remedy = "Send again; if it repeats, look for a proxy that changes content."


class DataError(HmzError):
    """The pixels are not what was announced."""

    code = "data"
    status = 422
    title = "The image's values cannot be used"


class NonFiniteData(DataError):
    """NaN or infinity in float data, where the model cannot take it."""

    code = "non-finite-data"
    title = "The image has NaN or infinite values"
    default_remedy = "Replace them first, for example with numpy.nan_to_num."


class PackageError(HmzError):
    """A model package cannot be trusted or used."""

    code = "package"
    status = 422
    title = "The model package cannot be used"
    default_remedy = "Run `hmz-backend zoo check PACKAGE` for the details."


class PackageInvalid(PackageError):
    """The description does not follow bioimage.io 0.5 or `config.hmz`."""

    code = "package-invalid"
    title = "The model's description is not valid"


class PackageFileMissing(PackageError):
    """A file that the description names is not there."""

    code = "package-file-missing"
    title = "A file of the model package is missing"


class PackageDigestWrong(PackageError):
    """A file is not the one that the description names."""

    code = "package-digest-wrong"
    title = "A file of the model package has changed"


class PickleRefused(PackageError):
    """A pickled array could run any code, and is never loaded."""

    code = "pickle-refused"
    title = "A pickled array was refused"
    default_remedy = "Save the array with numpy.save(..., allow_pickle=False)."


class NotReproduced(PackageError):
    """The model does not give its own test output."""

    code = "not-reproduced"
    title = "The model does not reproduce its test tensors"


class ResourceError(HmzError):
    """Something ran out."""

    code = "resource"
    status = 503
    title = "A resource ran out"


class DiskFull(ResourceError):
    """No space is left to write."""

    code = "disk-full"
    status = 507
    title = "The disk is full"
    default_remedy = "Free some space and run it again; what was sent before is not sent again."


class QuotaExceeded(ResourceError):
    """More than the caller's share of the staging area."""

    code = "quota-exceeded"
    status = 413
    title = "The staging quota does not hold this image"
    default_remedy = "Remove old volumes, take a smaller region, or ask for more."


class ServerBusy(ResourceError):
    """Too much at once; the same request may go through later."""

    code = "server-busy"
    title = "The backend is busy"
    default_remedy = "Try again in a moment."

    def __init__(
        self, detail: str = "", *, remedy: str = "", request_id: str = "", retry_after_s: float = 1
    ) -> None:
        super().__init__(detail, remedy=remedy, request_id=request_id)
        self.retry_after_s = retry_after_s


class LimitReached(ServerBusy):
    """More at once than one person may have here."""

    code = "limit-reached"
    status = 429
    title = "That is more at once than one person may have"


class UnavailableError(HmzError):
    """Another part is down or too old."""

    code = "unavailable"
    status = 503
    title = "A part of the service is not available"


class BackendUnreachable(UnavailableError):
    """Nobody answers at the backend's address."""

    code = "backend-unreachable"
    title = "The backend cannot be reached"
    default_remedy = "Check the address (HMZ_URL), the network, and that the backend runs."


class BackendTooOld(UnavailableError):
    """The backend speaks an older protocol than this client needs."""

    code = "backend-too-old"
    title = "The backend is too old for this client"
    default_remedy = "Ask its admin for an update, or install an older napari-hmz."


class ClientTooOld(UnavailableError):
    """The client speaks an older protocol than the backend accepts."""

    code = "client-too-old"
    status = 426
    title = "This client is too old for the backend"
    default_remedy = "Update napari-hmz."


class EngineUnavailable(UnavailableError):
    """The engine cannot be reached; runs wait or fail with this."""

    code = "engine-unavailable"
    title = "The engine cannot be reached"
    default_remedy = (
        "Ask the backend's admin to look at the engine. A run that has failed for this goes on "
        "with what is done: `hmz attach RUN`."
    )


class EngineBusy(UnavailableError):
    """The engine takes no more for the moment; the same tile may be sent again."""

    code = "engine-busy"
    title = "The engine is busy"
    default_remedy = "Try again in a moment."


class IssuerUnavailable(UnavailableError):
    """Whoever knows the caller does not answer: the credential may be good, or not."""

    code = "issuer-unavailable"
    title = "It cannot be told now who is calling"
    default_remedy = "Try again in a moment; if it stays so, ask the backend's admin."


class EngineFailed(HmzError):
    """The model failed on a tile; sending the tile again would not help."""

    code = "engine-failed"
    title = "The model failed on a tile"
    default_remedy = "Check the input; if it repeats, report it to the model's authors."


class RunFailed(HmzError):
    """A run ended without its result."""

    code = "run-failed"
    title = "The run failed"


class RunCancelled(HmzError):
    """A run was cancelled; its finished chunks are kept."""

    code = "run-cancelled"
    status = 409
    title = "The run was cancelled"
    default_remedy = "`hmz attach RUN` goes on with it: nothing is sent or computed twice."


class SettingsInvalid(HmzError):
    """A setting is missing, unknown or contradicts another."""

    code = "settings-invalid"
    title = "A setting cannot be used"


class LocalBackendFailed(HmzError):
    """The backend of this machine did not start."""

    code = "local-backend-failed"
    title = "The local backend did not start"
    default_remedy = "Install it with `pip install 'napari-hmz[backend]'` and look at its log."


class LocalBackendStopped(HmzError):
    """The backend of this machine does not run, and was not to be started."""

    code = "local-backend-stopped"
    title = "The local backend does not run"
    default_remedy = "Press Start (in a shell: any `hmz` command starts it by itself)."


class InternalError(HmzError):
    """A bug of ours: its text stays in the log."""

    code = "internal"
    title = "Internal error"
    default_remedy = "Please report it with the request id."


def error_classes() -> dict[str, type[HmzError]]:
    """Return every error class by its code."""
    found: dict[str, type[HmzError]] = {}
    waiting: list[type[HmzError]] = [HmzError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)  # a subclass without a code of its own stays out
        waiting.extend(kind.__subclasses__())
    return found


def from_problem(problem: ProblemLike) -> HmzError:
    """Make the error that a problem document speaks of; an unknown code gives the root."""
    kind = error_classes().get(problem.code, HmzError)
    return kind(problem.detail, remedy=problem.remedy, request_id=problem.request_id)
