"""Who the person is at the backend: a button to sign in or out, and a line about what goes on.

Lives in the Qt main thread. The door works in threads of its own, so it is looked at several times
a second rather than connected to.
"""

from functools import partial

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from hmz_widgets.backend import Backend
from hmz_widgets.bridge import Bridge
from hmz_widgets.icon import give_icon
from hmz_widgets.service import Client
from hmz_widgets.status import error_text, plain_label
from napari_hmz.door import Account, Door, Shown, account_of
from napari_hmz.errors import HmzError

LOOK_MS = 200
BUSY = "Sign in on the page that has opened in your browser."
AWAITED = "⚠ The sign-in has ended while work goes on. Sign in again, and it goes on by itself."


class SignInView:
    """The button, who is signed in, and what there is to say about it.

    Parameters
    ----------
    backend
        The backend that is followed.
    bridge
        Asks it who the person is.
    door
        Where they sign in and out.
    parent
        The widget that it belongs to.
    """

    def __init__(self, backend: Backend, bridge: Bridge, door: Door, parent: QWidget) -> None:
        self._backend, self._bridge, self._door = backend, bridge, door
        self._account, self._seen = Account(), Shown()
        self.who: QLabel = plain_label()
        self.who.setWordWrap(False)
        self.who.setAccessibleName("Signed in as")
        self.button = QPushButton("Sign in")
        give_icon(self.button, "person")
        self.message: QLabel = plain_label()
        self.message.setFrameShape(QFrame.Shape.StyledPanel)
        self.message.setMargin(6)
        for widget in (self.who, self.button, self.message):
            widget.setParent(parent)
            widget.hide()
        self.button.clicked.connect(self._pressed)
        backend.searching.connect(self._leave)
        backend.changed.connect(self._arrive)
        timer = QTimer(self.button)
        timer.timeout.connect(self.look)
        timer.start(LOOK_MS)

    def look(self) -> None:
        """Show what has changed at the door."""
        client = self._backend.client
        if client is None:
            return
        now, before = self._door.shown(client.url), self._seen
        if now == before:
            return
        self._seen = now
        self._show()
        if now.changes != before.changes:  # other models and runs are there now
            self._backend.choose(self._backend.profile)

    def _leave(self) -> None:
        self._account = Account()
        self._show()

    def _arrive(self) -> None:
        client = self._backend.client
        if client is None:
            return
        self._seen = self._door.shown(client.url)
        self._bridge.call(
            partial(account_of, client), done=partial(self._known, client), failed=self._unknown
        )

    def _known(self, client: Client, account: Account) -> None:
        if client is self._backend.client:
            self._account = account
            self._show()

    def _unknown(self, error: HmzError) -> None:
        self._say(error_text(error))

    def _pressed(self) -> None:
        client = self._backend.client
        if client is None:
            return
        if self._seen.busy:
            self._door.cancel()
        elif self._account.name and not self._seen.awaited:
            self._door.sign_out(client.url)
        else:
            self._door.sign_in(client.url)
        self.look()

    def _show(self) -> None:
        shown, account = self._seen, self._account
        inside = bool(account.name) and not shown.awaited
        self.button.setVisible(account.personal or shown.awaited or shown.busy)
        words = "Cancel" if shown.busy else "Sign out" if inside else "Sign in"
        self.button.setText(words)
        self.button.setToolTip(_TIPS[words])
        self.who.setText(account.name)
        self.who.setVisible(bool(account.name and account.personal))
        if shown.busy:
            self._say(BUSY if not inside else "")
        elif shown.error is not None:
            self._say(error_text(shown.error))
        else:
            self._say(AWAITED if shown.awaited else "")

    def _say(self, text: str) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))


_TIPS = {
    "Sign in": "Sign in with your institute's account; a page opens in your browser",
    "Sign out": "Sign out of this backend; runs go on there",
    "Cancel": "Do not sign in now",
}
