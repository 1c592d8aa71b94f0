"""The OpenAPI document says what happens, and what happens is what it says."""

from collections.abc import Iterator

import pytest

from benchmarks.probed_backend import ProbedBackend, probed_backend
from benchmarks.schema import Probe
from napari_hmz.errors import error_classes
from napari_hmz.schema import wire


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedBackend]:
    with probed_backend(tmp_path_factory.mktemp("probed")) as found:
        yield found


def test_every_error_is_described_as_a_problem_document(backend: ProbedBackend) -> None:
    kinds, seen = error_classes(), 0
    for path, operations in backend.document["paths"].items():
        kind = "KServeProblem" if path.startswith(wire.KSERVE) else "Problem"
        for operation in operations.values():
            errors = {k: v for k, v in operation["responses"].items() if int(k) >= 400}
            assert {"403", "413", "422", "426", "500"} <= set(errors)
            for status, response in errors.items():
                (content,) = response["content"].items()
                assert content[0] == wire.PROBLEM_TYPE
                assert content[1]["schema"] == {"$ref": f"#/components/schemas/{kind}"}
                for code, example in content[1]["examples"].items():
                    assert kinds[code].status == int(status) == example["value"]["status"]
                    seen += 1
    assert seen > 300


def test_made_up_requests_of_five_callers_are_answered_as_the_document_says(
    backend: ProbedBackend,
) -> None:
    probe = Probe(backend, each=1)
    probe.round(0)
    assert probe.sent > 300
    assert not probe.told()
