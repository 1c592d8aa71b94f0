"""Levels: what is so at the moment when somebody looks."""

from prometheus_client import Gauge

from hmz_backend.watch.instruments import Instruments


class Levels:
    """The gauges; `readings` sets them.

    Parameters
    ----------
    made
        Makes the instruments.
    """

    def __init__(self, made: Instruments) -> None:
        self._made = made
        self._all: list[tuple[Gauge, bool]] = []
        self.leads = self._level(
            "leads", "1: this process looks after runs; 0: another one does, and has the levels."
        )
        self.build = self._level(
            "build_info", "1; which backend this is.", "version", "protocol", "engine"
        )
        self.runs = self._level("runs", "Runs that have not ended.", "state")
        self.blocks_waiting = self._level(
            "blocks_waiting", "Blocks that wait for a place in memory.", "urgency"
        )
        self.tiles_waiting = self._level(
            "tiles_waiting", "Tiles that wait for the engine.", "urgency"
        )
        self.holders_waiting = self._level(
            "holders_waiting", "How many persons have tiles that wait for the engine.", "urgency"
        )
        self.engine_up = self._level("engine_up", "1; 0 while tiles of some model wait for it.")
        self.engine_instances = self._level(
            "engine_instances", "Tiles that the engine computes at the same time.", "window"
        )
        self.engine_places = self._level(
            "engine_window_places",
            "Tiles that may be at the engine; a window is that of a model, or of all that share "
            "their instances.",
            "window",
        )
        self.engine_taken = self._level(
            "engine_window_taken", "Tiles that are at the engine.", "window"
        )
        self.staging = self._level("staging_bytes", "What staged chunks take on the disk.")
        self.staging_quota = self._level("staging_quota_bytes", "What they may take.")
        self.volumes_held = self._level("volumes_held", "Volumes that have chunks on the disk.")
        self.disk_free = self._level("disk_free_bytes", "What is free on the disk of `data_dir`.")
        self.disk_reserve = self._level(
            "disk_reserve_bytes", "What staged chunks leave free of that."
        )
        self.cache = self._level("chunk_cache_bytes", "What decoded chunks take in memory.")
        self.database_connections = self._level(
            "database_connections", "Connections to the database that are in use."
        )
        self.database_pool = self._level(
            "database_pool_connections", "Connections that are kept open; more are made in need."
        )
        self.writes_waiting = self._level(
            "database_writes_waiting", "Writes that wait for the one writer."
        )

    def forget(self) -> None:
        """Know nothing any more: what was so is another process's to tell."""
        for gauge, is_labelled in self._all:
            if is_labelled:
                gauge.clear()
            else:
                gauge.set(float("nan"))
        self.leads.set(0)

    def _level(self, name: str, words: str, *labels: str) -> Gauge:
        gauge = self._made.gauge(name, words, *labels)
        self._all.append((gauge, bool(labels)))
        return gauge
