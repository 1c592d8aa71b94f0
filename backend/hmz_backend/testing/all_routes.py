"""Every route of an application with the access rules that it declares."""

from collections.abc import Iterable, Iterator

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from hmz_backend.routes.rules import Declared, Rule


def all_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield routes, those of included routers in their place (newer FastAPI keeps them apart)."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from all_routes(included.routes)


def rules_of(route: APIRoute) -> list[Rule]:
    """Return the rules that a route declares: it should be one."""
    calls = [each.call for each in route.dependant.dependencies]
    return [call.rule for call in calls if isinstance(call, Declared)]
