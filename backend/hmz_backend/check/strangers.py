"""Who else reaches an address: this machine's networks, or everybody."""

import ipaddress
import socket
from typing import Final

from hmz_backend.check.patience import ANSWER_S

ELSEWHERE: Final = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737): nothing is sent there."""


def own_address() -> str:
    """Return this machine's address in its network; empty if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(ELSEWHERE)
        except OSError:
            return ""
        return str(asking.getsockname()[0])


def answers(host: str, port: int) -> bool:
    """Return whether somebody takes connections there."""
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except OSError:
        return False
    return True


def is_public(host: str) -> bool:
    """Return whether a host has an address that all of the internet may know."""
    return any(ipaddress.ip_address(each).is_global for each in addresses(host))


def addresses(host: str) -> set[str]:
    """Return the addresses of a host; none if nobody knows it."""
    try:
        return {str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
