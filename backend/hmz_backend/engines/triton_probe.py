"""One look at a Triton server over gRPC: what it is, what it has, whether it can be steered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hmz_backend.engines.triton_words import says, unreachable

READY: Final = "READY"
NO_SUCH_MODEL: Final = "hmz-check-model-that-nobody-has"
NOT_EXPLICIT: Final = ("explicit model load / unload is not allowed",)
RESTRICTED: Final = ("restricted",)


@dataclass(frozen=True, slots=True)
class TritonState:
    """What a server says of itself.

    Parameters
    ----------
    version
        Of Triton.
    is_ready
        Whether it takes requests.
    models
        State of each model that its repository has, by name: `READY`, empty if it has not been
        asked for yet, otherwise why it is not ready.
    is_explicit
        Whether it loads what it is told to load.
    """

    version: str
    is_ready: bool
    models: Mapping[str, str]
    is_explicit: bool


def probe(url: str, timeout_s: float) -> TritonState:
    """Return the state of the server at `host:port`; each answer may take `timeout_s`.

    Raises
    ------
    EngineUnavailable
        If it does not answer, or does not speak gRPC.
    """
    client = InferenceServerClient(url)
    try:
        metadata = client.get_server_metadata(client_timeout=timeout_s)
        return TritonState(
            version=metadata.version,
            is_ready=client.is_server_ready(client_timeout=timeout_s),
            models=_models(client.get_model_repository_index(client_timeout=timeout_s)),
            is_explicit=_is_explicit(client, timeout_s),
        )
    except InferenceServerException as error:
        raise unreachable(url) from error
    finally:
        client.close()


def _models(index: Any) -> Mapping[str, str]:  # noqa: ANN401 # Triton's answer is untyped
    return {
        model.name: READY if model.state == READY else model.reason or model.state
        for model in index.models
    }


def _is_explicit(client: Any, timeout_s: float) -> bool:  # noqa: ANN401 # as above
    """Ask for a model that cannot be there: the refusal tells the mode, and nothing is loaded."""
    try:
        client.load_model(NO_SUCH_MODEL, client_timeout=timeout_s)
    except InferenceServerException as error:
        return not says(error, (*NOT_EXPLICIT, *RESTRICTED))
    return True
