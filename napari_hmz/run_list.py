"""A list of runs in words: what each does, how far it is, how old it is, and what can be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from napari_hmz.counts import counts_of
from napari_hmz.quantities import count_text, time_text
from napari_hmz.schema import ENDED, AccessRight, Run
from napari_hmz.standing import standing_of

RunAction = Literal["attach", "load", "retry", "cancel", "remove"]
STARTERS = {"api": "Python", "shell": "the shell", "plugin": "napari"}
_PERMITTED: Mapping[AccessRight, frozenset[RunAction]] = {
    "own": frozenset({"attach", "load", "retry", "cancel", "remove"}),
    "continue": frozenset({"attach", "load", "retry", "cancel"}),
    "read": frozenset({"attach", "load"}),
}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as a list shows it.

    Parameters
    ----------
    run
        The run's id.
    percent
        How far it is.
    age
        When it was asked for, as seen from now.
    origin
        What runs, since when, and from where it was started.
    detail
        All that is known of how it goes.
    actions
        What can be done with it.
    """

    run: str
    state: str
    percent: int
    model: str
    volume: str
    age: str
    started: str
    started_by: str
    origin: str
    detail: str
    actions: frozenset[RunAction]

    @property
    def opening(self) -> RunAction | None:
        """How its results are brought into the viewer; none if there are none."""
        return next((one for one in ("attach", "load") if one in self.actions), None)


def row_of(run: Run, now: datetime) -> RunRow:
    """Return a run's row; `now` has a time zone."""
    return RunRow(
        run=run.id,
        state=state_words(run),
        percent=percent(run),
        model=f"{run.plan.model} {run.plan.version}",
        volume=run.provenance.source_name or "unnamed",
        age=age_words(run.created_at, now),
        started=_moment(run.created_at),
        started_by=STARTERS[run.request.started_by],
        origin=origin(run, now),
        detail=detail(run),
        actions=actions(run),
    )


def actions(run: Run) -> frozenset[RunAction]:
    """Return what the caller can do with a run: it depends on how it stands, and whose it is."""
    return _possible(run) & _PERMITTED[run.right]


def _possible(run: Run) -> frozenset[RunAction]:
    if run.state not in ENDED:
        return frozenset({"attach", "cancel"})
    if run.state == "done":
        return frozenset({"load", "remove"})
    part: frozenset[RunAction] = frozenset({"load"} if run.progress.blocks_done else ())
    return part | {"retry", "remove"}


def lacks_image(run: Run) -> bool:
    """Return whether a run that goes on, or may be retried, still needs parts of its image."""
    progress = run.progress
    return run.state != "done" and not 0 < progress.chunks_needed <= progress.chunks_held


def state_words(run: Run) -> str:
    """Return what a run does or waits for, or how it ended."""
    if run.state == "failed" and run.error is not None:
        return f"failed ({run.error.code})"
    return standing_of(run.state, run.progress).words


def percent(run: Run) -> int:
    """Return how far a run is, from 0 to 100; 100 only once all of it is done."""
    if run.state == "done":
        return 100
    blocks = max(run.plan.blocks, 1)
    return min(99, 100 * run.progress.blocks_done // blocks)


def origin(run: Run, now: datetime) -> str:
    """Return what runs, since when, and from where it was started."""
    starter = STARTERS[run.request.started_by]
    return f"{run.plan.model} {run.plan.version} · {age_words(run.created_at, now)} from {starter}"


def detail(run: Run) -> str:
    """Return how a run goes, or what came of it: blocks, rate, time left, objects."""
    parts = [f"{run.progress.blocks_done} of {run.plan.blocks} blocks"]
    standing = standing_of(run.state, run.progress)
    if run.state not in ENDED and standing.voxels_per_s is not None:
        parts.append(f"{count_text(standing.voxels_per_s)} voxels/s")
    if standing.wait_s is not None:
        parts.append(f"begins in about {time_text(standing.wait_s)}")
    if standing.seconds_left is not None:
        parts.append(f"{time_text(standing.seconds_left)} left")
    parts += [f"{text} in {name}" for name, text in counts_of(run)]
    return " · ".join(parts)


def age_words(moment: str, now: datetime) -> str:
    """Return how long ago something was, in the largest unit that says enough.

    Parameters
    ----------
    moment
        As the backend writes it (ISO 8601). Its clock may be ahead of ours: that is just now.
    """
    try:
        seconds = max((now - datetime.fromisoformat(moment)) / timedelta(seconds=1), 0.0)
    except (ValueError, TypeError):  # no time, or one without a zone
        return "unknown"
    if seconds < _MINUTE_S:
        return "just now"
    if seconds < _HOUR_S:
        return f"{round(seconds // _MINUTE_S)} min ago"
    if seconds < _DAY_S:
        return f"{round(seconds // _HOUR_S)} h ago"
    days = round(seconds // _DAY_S)
    return f"{days} day{'' if days == 1 else 's'} ago"


def _moment(moment: str) -> str:
    """Return a time on this machine's clock."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return "unknown"
