"""What a backend answers at once: its health, its models, the caller's runs as they stand.

Threads: may be used from several threads at once.
"""

from pydantic import TypeAdapter

from napari_hmz import schema
from napari_hmz.connection import checked_health
from napari_hmz.errors import NotFound
from napari_hmz.http import Http
from napari_hmz.schema import (
    Allows,
    ApiToken,
    Health,
    Me,
    ModelCard,
    NewToken,
    RunRequest,
    Share,
    ShareRequest,
    TokenRequest,
    wire,
)
from napari_hmz.unfinished import RESUMABLE

_CARDS = TypeAdapter(tuple[ModelCard, ...])
_TOKENS = TypeAdapter(tuple[ApiToken, ...])
_SHARES = TypeAdapter(tuple[Share, ...])
_RUNS = TypeAdapter(tuple[schema.Run, ...])


class Calls:
    """One exchange each with one backend; nothing is transferred in the background.

    Parameters
    ----------
    http
        The way to the backend.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def url(self) -> str:
        """The backend's address."""
        return self._http.url

    def health(self) -> Health:
        """Return state and versions of the backend."""
        return self._http.get(wire.HEALTH, Health)

    def check(self) -> Health:
        """Return the backend's health if both sides understand each other; raises as `connect`."""
        return checked_health(self._http)

    def models(
        self, task: str | None = None, query: str | None = None, *, fresh: bool = False
    ) -> tuple[ModelCard, ...]:
        """Return the cards of the models that the caller may use, newest version first.

        Parameters
        ----------
        task, query
            Only those for a task, or with a word in their names and texts.
        fresh
            Have the backend look for them now; it looks every few seconds by itself.
        """
        asked = {"task": task, "q": query}
        params = {name: value for name, value in asked.items() if value}
        return self._http.get(wire.MODELS, _CARDS, params=params, fresh=fresh)

    def model(self, model: str, version: str | None = None) -> ModelCard:
        """Return one card, or the newest version's; raises `NotFound` also if it is not for you."""
        return self._http.get(wire.model(model, version), ModelCard)

    def card_of(self, run: schema.Run) -> ModelCard | None:
        """Return the card of a run's model; none if it was withdrawn: its results were not."""
        try:
            return self.model(run.plan.model, run.plan.version)
        except NotFound:
            return None

    def picture(self, card: ModelCard) -> bytes:
        """Return the thumbnail of a model, as its package has it; raises `NotFound` without one."""
        return self._http.get_bytes(wire.picture(card.id, card.version, card.thumbnail))

    def info(self, run_id: str) -> schema.Run:
        """Return a run as the backend knows it now, or raise `NotFound`."""
        return self._http.get(wire.run(run_id), schema.Run)

    def begin(self, request: RunRequest, key: str) -> schema.Run:
        """Return the run that this request makes, or has made before under the same key.

        One that was begun by a process that died, and was stopped, goes on.
        """
        headers = {wire.IDEMPOTENCY_HEADER: key}
        begun = self._http.ask(wire.RUNS, request, schema.Run, headers=headers)
        if begun.state in RESUMABLE:
            begun = self._http.ask(wire.resume(begun.id), None, schema.Run)
        return begun

    def cancel(self, run_id: str) -> schema.Run:
        """Stop a run; its finished chunks stay, and cancelling twice is no error."""
        return self._http.ask(wire.cancel(run_id), None, schema.Run)

    def remove(self, run_id: str) -> None:
        """Forget a run that has ended, with its results at the backend; written ones stay.

        Raises
        ------
        NotFound
            If the backend knows no such run (any more).
        Conflict
            If it has not ended.
        """
        self._http.delete(wire.run(run_id))

    def share(
        self,
        run_id: str,
        *,
        group: str = "",
        subject: str = "",
        issuer: str = "",
        allows: Allows = "read",
    ) -> Share:
        """Let the members of a group, or a person, see a run of yours, or go on with it.

        Parameters
        ----------
        run_id
            The run.
        group, subject
            One of them: an AARC-G069 group, or the person as their issuer names them.
        issuer
            The person's issuer; empty: yours.
        allows
            `read`, or `continue`: also to steer, stop and resume it, and to send its image.

        Raises
        ------
        NotFound, NotAllowed
            If it is not yours.
        """
        request = ShareRequest(group=group, subject=subject, issuer=issuer, allows=allows)
        return self._http.ask(wire.shares(wire.run(run_id)), request, Share)

    def share_volume(
        self,
        volume_id: str,
        *,
        group: str = "",
        subject: str = "",
        issuer: str = "",
        allows: Allows = "read",
    ) -> Share:
        """Let others use an image of yours in runs of their own; arguments as for `share`.

        `continue` lets them also send chunks of it. Its id is `volume` of a run's `request`, and
        those of its other inputs stand in `inputs` there.

        Raises
        ------
        NotFound, NotAllowed
            If it is not yours.
        """
        request = ShareRequest(group=group, subject=subject, issuer=issuer, allows=allows)
        return self._http.ask(wire.shares(wire.volume(volume_id)), request, Share)

    def volume_shares(self, volume_id: str) -> tuple[Share, ...]:
        """Return with whom an image of yours is shared."""
        return self._http.get(wire.shares(wire.volume(volume_id)), _SHARES)

    def unshare_volume(self, volume_id: str, share_id: str) -> None:
        """Take a share of an image back, at once."""
        self._http.delete(wire.share(wire.volume(volume_id), share_id))

    def shares(self, run_id: str) -> tuple[Share, ...]:
        """Return with whom a run of yours is shared."""
        return self._http.get(wire.shares(wire.run(run_id)), _SHARES)

    def unshare(self, run_id: str, share_id: str) -> None:
        """Take a share of a run back, at once."""
        self._http.delete(wire.share(wire.run(run_id), share_id))

    def runs(self) -> tuple[schema.Run, ...]:
        """Return the caller's runs and those that are shared with them, the newest first."""
        return self._http.get(wire.RUNS, _RUNS)

    def me(self) -> Me:
        """Return who the backend takes the caller for; raises `NotSignedIn` for nobody."""
        return self._http.get(wire.ME, Me)

    def usage(self) -> schema.Usage:
        """Return what the caller has used of the backend, by month and model."""
        return self._http.get(wire.USAGE, schema.Usage)

    def create_token(self, request: TokenRequest) -> NewToken:
        """Make a token for a script; only this answer has it.

        Raises
        ------
        ScopeMissing
            If the caller is here by a token: sign in for this.
        RequestError
            If it is to last longer than the backend's admin allows.
        """
        return self._http.ask(wire.TOKENS, request, NewToken)

    def tokens(self) -> tuple[ApiToken, ...]:
        """Return the caller's tokens that have not expired, the newest first."""
        return self._http.get(wire.TOKENS, _TOKENS)

    def revoke_token(self, token_id: str) -> None:
        """Take a token back; raises `NotFound` if the caller has none of that id."""
        self._http.delete(wire.token(token_id))
