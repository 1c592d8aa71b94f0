"""Whatever is changed of the trail by hand is found, and the record that shows it is named."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.audit.chain import Mark, Record, TrailBroken, canonical, sealed, verify
from hmz_backend.audit.checkpoints import checkpoint_line, read_checkpoints
from hmz_backend.audit.entry import Entry, Named, What

AT = "2026-11-28T12:00:00.000+00:00"
KINDS: list[What] = ["run.submitted", "run.ended", "volume.shared", "token.created"]
words = st.text('aé\x00 {"', max_size=4)
entries = st.builds(
    Entry,
    what=st.sampled_from(KINDS),
    who=st.builds(Named, issuer=words, subject=words, credential=words),
    thing=words,
    data=words,
    request=words,
    more=st.dictionaries(words, st.one_of(words, st.integers(), st.booleans()), max_size=3),
)
trails = st.lists(entries, min_size=2, max_size=6)


def chained(acts: list[Entry], before: Mark | None = None) -> list[Record]:
    """Return the records of some acts."""
    mark, found = before or Mark(), []
    for act in acts:
        found.append(sealed(mark, AT, act))
        mark = end_of(found)
    return found


def end_of(records: list[Record]) -> Mark:
    return Mark(records[-1].number, records[-1].digest)


def forged(record: Record, change: Callable[[dict[str, object]], None]) -> Record:
    """Return a record that says something else, its digest made anew."""
    document = record.document()
    change(document)
    body = canonical(document)
    return replace(record, body=body, digest=hashlib.sha256(body.encode()).hexdigest())


@given(trails)
def test_what_was_written_hangs_together(acts: list[Entry]) -> None:
    records = chained(acts)
    assert verify(records, end_of(records)) == (Mark(), end_of(records))
    assert records[0].document().get("thing", "") == acts[0].thing
    assert verify([], Mark()) == (Mark(), Mark())


@given(trails, st.data())
def test_a_change_of_any_letter_of_any_record_is_found(
    acts: list[Entry], data: st.DataObject
) -> None:
    records = chained(acts)
    place = data.draw(st.integers(0, len(records) - 1))
    record = records[place]
    field = data.draw(st.sampled_from(["body", "digest", "at", "number"]))
    if field == "number":
        changed = replace(record, number=record.number + data.draw(st.sampled_from([-1, 1, 100])))
    else:
        text = getattr(record, field)
        at = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(
            st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != text[at])
        )
        changed = replace(record, **{field: text[:at] + letter + text[at + 1 :]})
    with pytest.raises(TrailBroken) as broken:
        verify([*records[:place], changed, *records[place + 1 :]], end_of(records))
    assert place <= broken.value.number <= max(changed.number, record.number)


@given(trails, st.data())
def test_a_record_that_was_written_anew_with_its_digest_is_found_at_the_next_one(
    acts: list[Entry], data: st.DataObject
) -> None:
    records = chained(acts)
    place = data.draw(st.integers(0, len(records) - 1))
    changed = forged(records[place], lambda said: said.update(outcome="never happened"))
    with pytest.raises(TrailBroken) as broken:
        verify([*records[:place], changed, *records[place + 1 :]], end_of(records))
    assert broken.value.number == min(place + 2, len(records))


@given(trails, st.data())
def test_removing_any_records_is_found(acts: list[Entry], data: st.DataObject) -> None:
    records = chained(acts)
    gone = data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1))
    left = [record for place, record in enumerate(records) if place not in gone]
    with pytest.raises(TrailBroken) as broken:
        verify(left, end_of(records))
    assert broken.value.number - 1 in gone
    if 0 not in gone:  # a beginning may be gone by right: that is known at the end only
        assert broken.value.number == min(gone) + 1


@given(trails, st.data())
def test_another_order_or_a_record_put_in_is_found(acts: list[Entry], data: st.DataObject) -> None:
    records = chained(acts)
    mixed = data.draw(st.permutations(records))
    if mixed != records:
        with pytest.raises(TrailBroken):
            verify(mixed, end_of(records))
    place = data.draw(st.integers(0, len(records)))
    more = data.draw(st.sampled_from(records))
    with pytest.raises(TrailBroken):
        verify([*records[:place], more, *records[place:]], end_of(records))


@given(trails, trails, st.data())
def test_a_whole_new_chain_or_a_lost_end_does_not_lead_through_an_old_checkpoint(
    acts: list[Entry], others: list[Entry], data: st.DataObject
) -> None:
    records = chained(acts)
    place = data.draw(st.integers(0, len(records) - 1))
    (mark,) = read_checkpoints([checkpoint_line(end_of(records[: place + 1]))])
    assert verify(records, end_of(records), [mark])[1] == end_of(records)
    short = records[:place]
    with pytest.raises(TrailBroken) as broken:  # whoever cuts it off also mends the head
        verify(short, end_of(short) if short else Mark(), [mark])
    assert broken.value.number == place + 1
    new = chained([replace(act, request="forged") for act in (others * len(acts))])
    with pytest.raises(TrailBroken):
        verify(new, end_of(new), [mark])


@given(trails, trails, st.data())
def test_removed_by_right_is_what_a_later_record_names(
    acts: list[Entry], later: list[Entry], data: st.DataObject
) -> None:
    records = chained(acts)
    until = data.draw(st.integers(1, len(records)))
    last = records[until - 1]
    told = Entry("records.removed", Named(), more={"until": until, "digest": last.digest})
    kept = [*records[until:], *chained([told, *later], end_of(records))]
    assert verify(kept, end_of(kept)) == (Mark(until, last.digest), end_of(kept))
    with pytest.raises(TrailBroken):
        verify(kept[1:], end_of(kept))  # more than was told
    untold = [*records[until:], *chained(later, end_of(records))]
    with pytest.raises(TrailBroken) as broken:
        verify(untold, end_of(untold))
    assert broken.value.number == 1
    early = Mark(until, "0" * 64)
    verify(kept, end_of(kept), [Mark(until - 1, "what is gone says nothing")])
    with pytest.raises(TrailBroken):
        verify(kept, end_of(kept), [early])


def test_a_checkpoint_is_read_from_a_line_of_a_log_and_nothing_else_is_taken_for_one() -> None:
    mark = Mark(7, "ab")
    line = checkpoint_line(mark)
    log = f"2026-11-28 INFO audit checkpoint {line}\n"
    assert read_checkpoints([line, log, "\n"]) == [mark, mark]
    for wrong in ("no json", "{}", json.dumps([7, "ab"])):
        with pytest.raises(ValueError, match="no checkpoint"):
            read_checkpoints([wrong])
