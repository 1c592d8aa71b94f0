"""What can go wrong in serving; the engines turn it into the errors of the whole product."""

MAXIMUM_CAUSE = 500
"""Characters of a foreign message that are passed on."""


class ServingError(Exception):
    """A package could not be served, or a tile not be computed.

    Parameters
    ----------
    cause
        What happened, in one sentence, without a stack trace.
    tensor
        The name of the input or output concerned; empty if none is.
    """

    def __init__(self, cause: str, *, tensor: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.tensor = tensor

    def __str__(self) -> str:
        """Return the cause, with the tensor before it."""
        return f"tensor '{self.tensor}': {self.cause}" if self.tensor else self.cause


class PackageBroken(ServingError):
    """The package cannot be loaded: a file is missing, changed or not understood."""


class TileRejected(ServingError):
    """The tile does not fit the model: a missing input, a wrong number of axes or dtype."""


def cause_of(error: BaseException) -> str:
    """Return the last words of a foreign exception in one line, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = lines[0] if lines else "no message"
    return f"{type(error).__name__}: {words}"[:MAXIMUM_CAUSE]
