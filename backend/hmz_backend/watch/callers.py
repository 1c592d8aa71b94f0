"""Callers: how many were refused and why, and how the issuers answer that know them."""

from hmz_backend.watch.instruments import Instruments


class CallerMetrics:
    """Counts refusals and questions; never who it was.

    Parameters
    ----------
    made
        Makes the instruments.
    """

    def __init__(self, made: Instruments) -> None:
        self._refused = made.counter(
            "callers_refused_total",
            "Callers who were not let in, by the code of the error.",
            "code",
        )
        self._questions = made.counter(
            "issuer_questions_total",
            "Questions to issuers and hubs; outcome: answered, unavailable, or silenced, which is "
            "not to ask again at once one that has just not answered.",
            "issuer",
            "outcome",
        )
        self._recalled = made.counter(
            "credentials_recalled_total",
            "Credentials that an issuer or hub was asked about (miss), or of which the answer was "
            "remembered (hit).",
            "result",
        )

    def refused(self, code: str) -> None:
        """Count a caller who was not let in."""
        self._refused.labels(code).inc()

    def asked(self, issuer: str, outcome: str) -> None:
        """Count a question; `issuer` is a host of the settings."""
        self._questions.labels(issuer, outcome).inc()

    def recalled(self, hit: bool) -> None:
        """Count a credential."""
        self._recalled.labels("hit" if hit else "miss").inc()
