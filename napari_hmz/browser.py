"""The person's browser: opened at a page without waiting for it."""

import os
import sys
import threading
import webbrowser


def has_browser() -> bool:
    """Return whether a page could be shown to somebody: not on a machine without a screen."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def open_in_browser(url: str) -> None:
    """Open a page; some browsers only come back when they are closed, so nobody waits for them."""
    threading.Thread(target=webbrowser.open, args=(url,), name="hmz-browser", daemon=True).start()
