import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.entitlements import (
    Entitlement,
    NotAnEntitlement,
    canonical_group,
    memberships,
)

HELMHOLTZ = "login.helmholtz.de"
IMAGING = f"urn:geant:helmholtz.de:group:Imaging#{HELMHOLTZ}"

names = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="%?#:"), min_size=1, max_size=12
).filter(lambda name: name.isprintable() and not name.startswith("role="))
"""What may stand in an entitlement without being encoded."""
hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,6}){1,2}", fullmatch=True)
entitlements = st.builds(
    Entitlement,
    st.just("urn:geant:helmholtz.de"),
    st.lists(st.text(min_size=1).filter(str.isprintable), min_size=1, max_size=4).map(tuple),
    st.text(max_size=8).filter(str.isprintable),
    hosts,
)


def encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@given(entitlements)
def test_what_is_written_is_read_again(entitlement: Entitlement) -> None:
    assert Entitlement.parse(str(entitlement)) == entitlement


@given(st.lists(names, min_size=1, max_size=4))
def test_encoded_or_not_a_group_has_one_text(path: list[str]) -> None:
    plain = f"urn:geant:helmholtz.de:group:{':'.join(path)}#{HELMHOLTZ}"
    other = f"urn:GEANT:helmholtz.de:group:{':'.join(map(encoded, path))}#{HELMHOLTZ}"
    assert canonical_group(plain) == canonical_group(other)
    assert canonical_group(canonical_group(plain)) == canonical_group(plain)


@given(entitlements)
def test_a_subgroup_implies_those_above_it_and_nothing_else(entitlement: Entitlement) -> None:
    implied = {Entitlement.parse(text) for text in entitlement.implied()}
    assert entitlement in implied
    depths = set()
    for one in implied - {entitlement}:
        assert (one.namespace, one.authority) == (entitlement.namespace, entitlement.authority)
        assert one.groups == entitlement.groups[: len(one.groups)]
        assert not one.role
        depths.add(len(one.groups))
    own = set() if entitlement.role else {len(entitlement.groups)}
    assert depths | own == set(range(1, len(entitlement.groups) + 1))


@given(st.text() | st.text("urn:geathlmoz.dgrp%role=#123", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Entitlement.parse(text)
    except NotAnEntitlement:
        return
    assert Entitlement.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("urn:geant:helmholtz.de:group:Helmholtz Imaging#a.de", "Helmholtz%20Imaging"),
        ("urn:geant:h-df.de:group:Imaging#a.de", "Imaging"),
        ("urn:geant:helmholtz.de:group:A%3AB#a.de", "A%3AB"),  # one group, not B within A
        ("urn:geant:helmholtz.de:group:A%2520B#a.de", "A%2520B"),  # decoded once, not twice
        ("urn:geant:helmholtz.de:group:group:A#a.de", "group:A"),
        ("urn:geant:helmholtz.de:group:A:role=Chief Editor#a.de", "A:role=Chief%20Editor"),
        ("urn:geant:helmholtz.de:group:A:role%3Dx#a.de", "A:role%3Dx"),  # a group of that name
        ("urn:geant:helmholtz.de:group:Z\u00fcrich#a.de", "Z%C3%BCrich"),
    ],
)
def test_texts_of_the_wild(text: str, same: str) -> None:
    assert canonical_group(text) == f"urn:geant:helmholtz.de:group:{same}#a.de"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Imaging",
        "urn:geant:helmholtz.de:group:Imaging",  # nobody vouches for it
        "urn:geant:helmholtz.de:group:Imaging#",
        "urn:geant:helmholtz.de:group:Imaging#a.de#b.de",
        "urn:geant:helmholtz.de:group:Imaging#a.de ",
        "urn:geant:helmholtz.de:group:#a.de",
        "urn:geant:helmholtz.de:group::Imaging#a.de",
        "urn:geant:helmholtz.de:group:Imaging:#a.de",
        "urn:geant:helmholtz.de:group:role=admin#a.de",
        "urn:geant:helmholtz.de:group:A:role=#a.de",
        "urn:geant:helmholtz.de:group:A:role=x:B#a.de",
        "urn:geant:helmholtz.de:group:A:role=x:role=y#a.de",
        "urn:geant:helmholtz.de:group:A%2#a.de",
        "urn:geant:helmholtz.de:group:A%zz#a.de",
        "urn:geant:helmholtz.de:group:A%ff#a.de",
        "urn:geant:helmholtz.de:group:A%00#a.de",
        "urn:geant:helmholtz.de:group:A%0a#a.de",
        "urn:geant:helmholtz.de:group:A?+x#a.de",
        "urn:geant:helmholtz.de:group:A\n#a.de",
        "urn:geant:helmholtz.de:res:gpu#a.de",  # a capability (AARC-G027)
        "urn:group:A#a.de",
        "geant:helmholtz.de:group:A#a.de",
        " urn:geant:helmholtz.de:group:A#a.de",
        f"urn:geant:helmholtz.de:group:{':'.join(['A'] * 33)}#a.de",
        f"urn:geant:helmholtz.de:group:{'A' * 3000}#a.de",
    ],
)
def test_what_is_not_exactly_of_the_form_is_no_group(text: str) -> None:
    with pytest.raises(NotAnEntitlement):
        Entitlement.parse(text)
    assert not memberships([text], ["a.de"])


def test_only_the_words_of_a_trusted_authority_count() -> None:
    forged = IMAGING.replace(HELMHOLTZ, "evil.example")
    assert memberships([IMAGING, forged], [HELMHOLTZ]) == {IMAGING}
    assert not memberships([IMAGING], [])
    assert not memberships([IMAGING], ["helmholtz.de"])


def test_a_role_does_not_spread() -> None:
    chief = "urn:geant:helmholtz.de:group:A:B:role=chief#a.de"
    found = memberships([chief], ["a.de"])
    assert found == {
        chief,
        "urn:geant:helmholtz.de:group:A:B#a.de",
        "urn:geant:helmholtz.de:group:A#a.de",
    }


def test_hundreds_of_groups_and_what_else_a_claim_may_hold() -> None:
    many = [f"urn:geant:helmholtz.de:group:G{number}:Sub#a.de" for number in range(800)]
    found = memberships([*many, None, 7, {"a": 1}, "nonsense"], ["a.de"])
    assert len(found) == 1600
