from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.access.known import GUEST_S, KnownRights
from hmz_backend.access.rights import Grant, Right, check_right, right_of
from hmz_backend.identity.protocol import Principal
from napari_hmz.errors import NotAllowed, NotFound

ANN = ("https://a.example", "ann")
NAMES = st.sampled_from(["ann", "bob"])
ISSUERS = st.sampled_from(["https://a.example", "https://b.example"])
PEOPLE = st.tuples(ISSUERS, NAMES)
GROUP_TEXTS = st.sampled_from(["one", "two", "three"])
GRANTS = st.one_of(
    st.builds(Grant, st.sampled_from(["read", "continue"]), st.just(""), PEOPLE),
    st.builds(Grant, st.sampled_from(["read", "continue"]), GROUP_TEXTS, st.just(("", ""))),
)
ROLES = st.frozensets(st.sampled_from(["user", "reviewer", "admin"]))
CALLERS = st.builds(Principal, ISSUERS, NAMES, st.frozensets(GROUP_TEXTS), ROLES)


@given(CALLERS, st.one_of(st.none(), PEOPLE), st.lists(GRANTS))
def test_only_owners_own_and_only_those_it_is_shared_with_go_further(
    caller: Principal, owner: tuple[str, str] | None, grants: list[Grant]
) -> None:
    right = right_of(caller, owner, grants)
    is_owner = owner == (caller.issuer, caller.subject)
    assert (right is Right.OWN) == is_owner
    named = [
        grant
        for grant in grants
        if grant.group in caller.groups or grant.person == (caller.issuer, caller.subject)
    ]
    if owner is None or (not is_owner and not named):
        assert right is Right.NONE
    elif not is_owner:
        longest = any(grant.allows == "continue" for grant in named)
        assert right is (Right.CONTINUE if longest else Right.READ)


@given(CALLERS, PEOPLE, st.lists(GRANTS))
def test_no_role_gives_a_right_to_what_others_own(
    caller: Principal, owner: tuple[str, str], grants: list[Grant]
) -> None:
    plain = Principal(caller.issuer, caller.subject, caller.groups, frozenset())
    assert right_of(caller, owner, grants) is right_of(plain, owner, grants)


@given(st.sampled_from(Right), st.sampled_from([Right.READ, Right.CONTINUE, Right.OWN]))
def test_what_is_refused_is_hidden_from_those_who_see_nothing(right: Right, need: Right) -> None:
    try:
        check_right(right, need, "run")
    except NotFound:
        assert right is Right.NONE
    except NotAllowed:
        assert Right.NONE < right < need
    else:
        assert right >= need


def test_owners_are_remembered_and_guests_for_a_moment() -> None:
    now_s = 100.0
    known = KnownRights(lambda: now_s)
    owner, guest = Principal(*ANN), Principal("https://a.example", "bob", frozenset({"one"}))
    known.put(owner, "run", Right.OWN)
    known.put(guest, "run", Right.READ)
    known.put(guest, "another", Right.NONE)
    assert known.get(owner, "run") is Right.OWN
    assert known.get(guest, "run") is Right.READ
    assert known.get(guest, "another") is None
    left = Principal("https://a.example", "bob")
    assert known.get(left, "run") is None, "who has left the group is asked for again"
    now_s += GUEST_S
    assert known.get(owner, "run") is Right.OWN
    assert known.get(guest, "run") is None
    known.forget()
    assert known.get(owner, "run") is None
