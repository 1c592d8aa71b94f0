"""Every route says whom it lets do what: one that says nothing is a hole until proven otherwise."""

from pathlib import Path

from fastapi.routing import APIRoute

from hmz_backend.app import build_app
from hmz_backend.settings import Settings
from hmz_backend.testing.all_routes import all_routes, rules_of
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import FakePackages


def test_every_route_declares_one_access_rule(tmp_path: Path) -> None:
    app = build_app(
        Settings(data_dir=tmp_path),
        engine=FakeEngine(MODELS),
        packages=FakePackages(CARDS),
        identities=(),
    )
    routes = list(all_routes(app.routes))
    assert len(routes) > 20
    undeclared = [
        getattr(route, "path", str(route))
        for route in routes
        if not isinstance(route, APIRoute) or len(rules_of(route)) != 1
    ]
    assert not undeclared, (
        "give these routes `dependencies=rules.…` (hmz_backend/routes/rules.py), and a request in "
        "tests/backend/access/test_matrix.py"
    )
