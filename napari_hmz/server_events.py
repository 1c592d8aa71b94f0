"""Server-sent events: lines of text become numbered messages, whatever carries them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event as it came: `id` is what a listener names to take up after it."""

    id: str
    data: str


def parse_events(lines: Iterable[str]) -> Iterator[ServerEvent | None]:
    """Yield an event for each empty line that ends one, and None for a comment (a sign of life).

    An event that the connection cut short is dropped: it will come again.
    """
    last_id, data = "", list[str]()
    for line in lines:
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                last_id = value
            elif name == "data":
                data.append(value)
        elif data:
            yield ServerEvent(last_id, "\n".join(data))
            data = []
