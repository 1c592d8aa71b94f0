"""Our own icons on buttons, in the colour of the button's text: for dark and light themes alike.

Lives in the Qt main thread. The drawings lie in `icons`, one SVG each; nothing comes from a
network.
"""

from pathlib import Path

from qtpy.QtCore import QByteArray, QEvent, QObject, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QAbstractButton

FOLDER = Path(__file__).parent / "icons"
SIDES_PX = (16, 32, 48)
"""One for each density of screens."""
_STYLED = frozenset(
    {QEvent.Type.Polish, QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.Show}
)
_MODES = (
    (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
    (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
)


def give_icon(button: QAbstractButton, name: str) -> None:
    """Let a button show the icon of this name, drawn anew whenever its style changes."""
    _Tint(button, name)


def drawn(name: str, palette: QPalette) -> QIcon:
    """Return an icon in the colours in which a palette shows the text of buttons."""
    icon = QIcon()
    for mode, group in _MODES:
        colour = palette.color(group, QPalette.ColorRole.ButtonText)
        for side_px in SIDES_PX:
            icon.addPixmap(_pixmap(name, colour, side_px), mode)
    return icon


class _Tint(QObject):  # type: ignore[misc] # Qt has no types that mypy can follow
    """Belongs to a button, and draws its icon when a theme has given it other colours."""

    def __init__(self, button: QAbstractButton, name: str) -> None:
        super().__init__(button)
        self._name, self._colours = name, ""
        self._draw(button)
        button.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 # Qt's name
        """Look whether the colours are others now; the event goes on."""
        if event.type() in _STYLED:
            self._draw(watched)
        return False

    def _draw(self, button: QAbstractButton) -> None:
        palette = button.palette()
        roles = [palette.color(group, QPalette.ColorRole.ButtonText) for _, group in _MODES]
        colours = " ".join(colour.name(QColor.NameFormat.HexArgb) for colour in roles)
        if colours != self._colours:
            self._colours = colours
            button.setIcon(drawn(self._name, palette))


def _pixmap(name: str, colour: QColor, side_px: int) -> QPixmap:
    coloured = _drawing(name).replace("currentColor", colour.name())
    pixmap = QPixmap(side_px, side_px)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(colour.alphaF())
    QSvgRenderer(QByteArray(coloured.encode())).render(painter)
    painter.end()
    return pixmap


def _drawing(name: str) -> str:
    return (FOLDER / f"{name}.svg").read_text("utf-8")
