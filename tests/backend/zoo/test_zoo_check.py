"""The check names everything that is wrong, and runs the model on its test tensors."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.zoo.check import check_package, require
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.reproduction import Tolerance, mismatch, reproduce
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.errors import PackageInvalid

Document = dict[str, Any]
Edit = Callable[[Path, Callable[[Document], None]], None]
SHIPPED = sorted(path.parent.name for path in shipped_models().glob("*/rdf.yaml"))


def replace_tensor(package: Path, edit: Edit, name: str, array: NDArray[Any]) -> None:
    """Put another array in the place of a test tensor, with its right digest."""
    path = package / f"test_{name}.npy"
    np.save(path, array, allow_pickle=False)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(package, lambda d: d[f"{name}s"][0]["test_tensor"].update(sha256=digest))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.usefixtures("no_network")
def test_every_shipped_model_passes(name: str) -> None:
    report = check_package(shipped_models() / name)
    assert report.ok, report.findings
    assert [finding.code for finding in report.findings] == [
        "description",
        "tensors",
        "reproduction",
    ]


OWN_CHECK = """
import socket, sys
from pathlib import Path

def refuse(*_, **__):
    raise SystemExit("the network was asked")

socket.socket.connect = socket.getaddrinfo = refuse
from bioimageio.core import test_model
from bioimageio.spec import ValidationContext, build_description
from ruyaml import YAML

for folder in map(Path, sys.argv[1:]):
    content = YAML(typ="safe").load((folder / "rdf.yaml").read_text())
    content.pop("git_repo")  # an address is looked up
    content["cite"] = [{"text": "text", "doi": "10.1000/182"}]
    context = ValidationContext(root=folder, perform_io_checks=True, log_warnings=False)
    model = build_description(content, context=context)
    print(folder.name, model.validation_summary.status)
    with ValidationContext(perform_io_checks=False):
        print(folder.name, test_model(model).status)
"""


def test_every_shipped_model_passes_the_check_of_bioimageio() -> None:
    # In a process of its own, since bioimageio.spec leaves the files open that it checks.
    folders = [str(shipped_models() / name) for name in SHIPPED]
    done = subprocess.run(
        [sys.executable, "-c", OWN_CHECK, *folders], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("\n")
    for name in SHIPPED:
        assert f"{name} valid-format" in words, done.stdout
        if not load_package(
            shipped_models() / name
        ).config.pipeline:  # its own class: unknown there
            assert f"{name} passed" in words, done.stdout


def test_all_damaged_files_are_named_at_once(package: Path) -> None:
    (package / "README.md").unlink()
    (package / "weights.onnx").write_bytes(b"other")
    report = check_package(package)
    assert not report.ok
    assert {finding.code for finding in report.findings} == {
        "package-file-missing",
        "package-digest-wrong",
    }
    with pytest.raises(PackageInvalid, match=r"README\.md.*weights\.onnx|weights.*README"):
        require(report)


def test_a_network_that_gives_something_else_is_found(package: Path, edit: Edit) -> None:
    other = np.load(package / "test_output.npy")
    other[0, 0, :8, :8] += 1
    replace_tensor(package, edit, "output", other)
    report = check_package(package)
    assert [finding.code for finding in report.findings if finding.level == "error"] == [
        "not-reproduced"
    ]
    assert check_package(package, run=False).ok


def test_a_result_of_another_shape_is_found(package: Path, edit: Edit) -> None:
    replace_tensor(package, edit, "input", np.load(package / "test_input.npy")[:, :-2])
    report = check_package(package)
    assert not report.ok
    assert "z" in report.findings[-1].message


def test_test_tensors_must_fit_the_description(package: Path, edit: Edit) -> None:
    replace_tensor(package, edit, "output", np.load(package / "test_output.npy").astype("uint8"))
    report = check_package(package, run=False)
    assert not report.ok
    assert "uint32" in report.findings[-1].message


def test_a_package_without_test_tensors_is_refused(package: Path, edit: Edit) -> None:
    edit(package, lambda d: d["outputs"][0].pop("test_tensor"))
    report = check_package(package)
    assert "'labels' has no test tensor" in report.findings[-1].message


def test_weights_that_do_not_load_are_found(package: Path, edit: Edit) -> None:
    (package / "weights.onnx").write_bytes(b"not a network")
    digest = hashlib.sha256(b"not a network").hexdigest()
    edit(package, lambda d: d["weights"]["onnx"].update(sha256=digest))
    report = check_package(package)
    assert [finding.level for finding in report.findings].count("error") == 1
    assert "does not load" in " ".join(finding.message for finding in report.findings)


def test_a_step_that_fails_is_not_reproduced(package: Path, edit: Edit) -> None:
    code = (package / "components.py").read_text().replace("return np.stack", "raise KeyError\n  #")
    (package / "components.py").write_text(code)
    digest = hashlib.sha256(code.encode()).hexdigest()
    edit(package, lambda d: d["outputs"][0]["postprocessing"][0].update(sha256=digest))
    assert "not-reproduced" in {finding.code for finding in check_package(package).findings}


def test_what_a_card_lacks_is_a_warning(package: Path, edit: Edit) -> None:
    def change(document: Document) -> None:
        document.pop("license")
        document["config"]["hmz"].pop("quality")
        document["weights"]["onnx"].pop("sha256")

    edit(package, change)
    report = check_package(package)
    warnings = [finding.message for finding in report.findings if finding.level == "warning"]
    assert report.ok
    assert len(warnings) == 3
    assert any("weights.onnx has no sha256" in message for message in warnings)


def test_the_test_runs_with_its_own_parameters(package: Path, edit: Edit) -> None:
    edit(package, lambda d: d["config"]["hmz"].update(test={"parameters": {"threshold": 1.5}}))
    seen: list[object] = []

    def run(_: object, parameters: Mapping[str, object]) -> dict[str, NDArray[Any]]:
        seen.append(parameters["threshold"])
        return {"labels": np.load(package / "test_output.npy")[0]}

    reproduce(load_package(package), run)
    assert seen == [1.5]


def test_mismatch_counts_voxels_of_a_million() -> None:
    expected = np.ones(1000)
    found = expected.copy()
    found[:2] += 0.5
    found[2:4] = np.nan
    assert mismatch(found, expected, Tolerance()) == 4000
    assert mismatch(expected * 1.0005, expected, Tolerance()) == 0
