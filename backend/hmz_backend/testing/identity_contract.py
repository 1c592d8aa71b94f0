"""What every identity must do, as tests: derive from `IdentityContract`, name two credentials."""
# ruff: noqa: D102 # a test's name is its sentence

import asyncio

from hmz_backend.identity.protocol import Credential, Identity


class IdentityContract:
    """Derive, name the class `Test...`, and override all three."""

    def made(self) -> Identity:
        """Return the identity."""
        raise NotImplementedError

    def good(self) -> Credential:
        """Return a credential that it knows."""
        raise NotImplementedError

    def foreign(self) -> Credential:
        """Return a credential of another kind."""
        raise NotImplementedError

    def test_a_good_credential_names_a_principal_always_the_same(self) -> None:
        first = asyncio.run(self.made().identify(self.good()))
        again = asyncio.run(self.made().identify(self.good()))
        assert first is not None
        assert first.issuer
        assert first.subject
        assert first == again

    def test_nothing_at_all_is_not_its_kind(self) -> None:
        assert asyncio.run(self.made().identify(Credential())) is None

    def test_a_foreign_credential_is_left_to_others(self) -> None:
        assert asyncio.run(self.made().identify(self.foreign())) is None

    def test_no_text_of_it_shows_the_secret(self) -> None:
        secret = self.good().bearer
        assert secret
        assert secret not in repr(self.made())
        assert secret not in repr(self.good())
