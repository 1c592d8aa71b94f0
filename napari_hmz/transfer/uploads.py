"""The uploads of one client: one per volume, shared by the runs that need it."""

import threading
from collections.abc import Callable

from napari_hmz.errors import HmzError
from napari_hmz.http import Http
from napari_hmz.sources.protocol import Source
from napari_hmz.transfer.traffic import Traffic
from napari_hmz.transfer.upload import Upload


class Uploads:
    """Starts uploads, and lets runs of one volume share them. Threads: any may call.

    Parameters
    ----------
    http, patience_s
        As for `Upload`.
    """

    def __init__(self, http: Http, patience_s: float) -> None:
        self._http, self._patience_s = http, patience_s
        self._guard = threading.Lock()
        self._by_volume: dict[str, Upload] = {}

    def serve(
        self,
        volume_id: str,
        source: Source,
        traffic: Traffic,
        *,
        threads: int,
        failed: Callable[[HmzError], None],
        held_s: float = 0.0,
    ) -> Upload:
        """Return the upload of a volume that works for one more run, which exists already.

        One that works for others is not held back.
        """
        with self._guard:
            there = self._by_volume.get(volume_id)
            if there is not None and there.serve(traffic, failed):
                return there
            upload = self._by_volume[volume_id] = Upload(
                self._http,
                volume_id,
                source,
                traffic=traffic,
                threads=threads,
                patience_s=self._patience_s,
                failed=failed,
                held_s=held_s,
            )
            upload.start()
            return upload

    def stop(self) -> list[Upload]:
        """Let all of them end soon, and return them."""
        with self._guard:
            uploads, self._by_volume = list(self._by_volume.values()), {}
        for upload in uploads:
            upload.stop()
        return uploads
