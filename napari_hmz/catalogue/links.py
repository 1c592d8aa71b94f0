"""Addresses on cards: strangers write them, so only plain https ones lead anywhere."""

import re
from urllib.parse import quote, urlsplit

from napari_hmz.schema import Author, Citation

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_LONGEST = 2000


def safe_link(address: str) -> str:
    """Return an address that may be opened, or an empty string.

    It is https, names a host and nobody's password, and has no character that could end an
    attribute or a line.
    """
    address = address.strip()
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and parts.username is None and parts.password is None
    except ValueError:  # brackets that are no address
        return ""
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \"'<>\\^`{|}")
    usable = parts.scheme == "https" and named and plain and len(address) <= _LONGEST
    return address if usable else ""


def citation_link(citation: Citation) -> str:
    """Return where a citation leads, or an empty string."""
    doi = citation.doi.strip().removeprefix("https://doi.org/").removeprefix("doi:")
    if _DOI.fullmatch(doi):
        return safe_link(f"https://doi.org/{quote(doi, safe='/.()-_:;')}")
    return safe_link(citation.url)


def author_link(author: Author) -> str:
    """Return an author's page at ORCID, or an empty string."""
    number = author.orcid.strip().removeprefix("https://orcid.org/")
    return f"https://orcid.org/{number}" if _ORCID.fullmatch(number) else ""
