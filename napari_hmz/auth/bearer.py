"""A bearer token that was given: by the settings, or by the backend of this machine."""

from pydantic import SecretStr


class Bearer:
    """Holds one token; calling it gives the token, nothing else shows it.

    Parameters
    ----------
    token
        The token, or None for a caller who has none.
    """

    def __init__(self, token: SecretStr | str | None) -> None:
        self._token = SecretStr(token) if isinstance(token, str) else token

    def __call__(self) -> str | None:
        """Return the token as it goes into a request."""
        return None if self._token is None else self._token.get_secret_value()

    def renew(self, rejected: str | None, /) -> bool:  # noqa: ARG002 # as every credential
        """Return False: there is no other token than the one that was given."""
        return False

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return f"Bearer({'given' if self._token is not None else 'none'})"

    def __reduce__(self) -> str:
        """Refuse to be pickled: a pickle would hold the secret in the clear.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("a token is not pickled")
