"""What the audit trail is told of a run."""

from hmz_backend.audit.entry import OK, Entry, What, Who
from napari_hmz.schema import Run


def run_act(what: What, who: Who, run: Run, outcome: str = OK) -> Entry:
    """Return what somebody has done with a run: which model was given which data."""
    made_of = run.provenance
    more = {f"data of {name}": other.fingerprint for name, other in made_of.inputs.items()}
    return Entry(
        what,
        who,
        thing=run.id,
        model=made_of.model,
        version=made_of.version,
        data=made_of.source_fingerprint,
        outcome=outcome,
        more={**more, "model_digest": made_of.model_digest},
    )
