"""What the person has set in napari's preferences for this plugin.

napari keeps them since 0.9, by what `napari.yaml` declares; before, the defaults hold. It reads
their file when it is first asked, which the dock does in the Qt main thread; after that any thread
may ask.
"""

from napari_hmz.preferences import Preferences

PLUGIN = "napari-hmz"


def preferences() -> Preferences:
    """Return the preferences as they are now."""
    try:
        from napari.settings import get_plugin_settings

        kept = get_plugin_settings(PLUGIN)
    except (ImportError, KeyError):  # an older napari; one that does not know the plugin
        return Preferences()
    sections = [part for part in kept.model_dump().values() if isinstance(part, dict)]
    return Preferences.of({name: value for part in sections for name, value in part.items()})
