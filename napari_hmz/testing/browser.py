"""The browser of somebody who signs in at the issuer of the tests.

As a program it is what `BROWSER` names: `python -m napari_hmz.testing.browser ACCOUNT URL`.
"""

import sys
from urllib.parse import urljoin, urlsplit

import httpx


def sent_back(url: str, account: str) -> str:
    """Open a page of the issuer, and return the address elsewhere that one is sent to from it."""
    issuer = urlsplit(url).netloc
    with httpx.Client(trust_env=False, cookies={"account": account}) as browser:
        while urlsplit(url).netloc == issuer:
            answer = browser.get(url)
            assert answer.is_redirect, answer.text
            url = urljoin(url, answer.headers["Location"])
    return url


def browse(url: str, account: str) -> str:
    """Sign in as a person's browser does; return the text of the page that they see last."""
    with httpx.Client(trust_env=False, timeout=60.0) as browser:
        return browser.get(sent_back(url, account)).text


if __name__ == "__main__":
    browse(sys.argv[2], sys.argv[1])
