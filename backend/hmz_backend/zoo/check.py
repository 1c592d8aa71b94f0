"""Everything that is asked of a package before it is trusted, with all answers in one report."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hmz_backend.zoo.digest import package_files
from hmz_backend.zoo.document import extension_of, named_files, read_document
from hmz_backend.zoo.files import check_file, refuse_pickles
from hmz_backend.zoo.package import Package, load_package
from hmz_backend.zoo.reproduction import check_tensors, reproduce
from hmz_backend.zoo.unread import unread
from napari_hmz.errors import HmzError, PackageError, PackageInvalid


@dataclass(frozen=True)
class Finding:
    """One answer.

    Parameters
    ----------
    level
        `error`: the package is refused. `warning`: it should be better. `passed`: a check held.
    code
        That of the error (`napari_hmz.errors`), or the name of the check.
    message
        In one sentence.
    """

    level: Literal["error", "warning", "passed"]
    code: str
    message: str


@dataclass(frozen=True)
class Report:
    """What was found in one package."""

    folder: Path
    findings: tuple[Finding, ...]
    package: Package | None = None
    """Only if it could be read."""

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the package."""
        return not any(finding.level == "error" for finding in self.findings)


def check_package(folder: Path, *, run: bool = True) -> Report:
    """Check a package as far as it goes: every damaged file is named, not only the first.

    Parameters
    ----------
    folder
        The package.
    run
        Whether to compute its test tensors, which runs the code that it brings.
    """
    faults = list(_file_faults(folder))
    if faults:
        return Report(folder, tuple(_error(fault) for fault in faults))
    try:
        package = load_package(folder)
    except PackageError as error:
        return Report(folder, (_error(error),))
    findings = [Finding("passed", "description", "files, digests and description are in order")]
    findings.extend(_tried("tensors", lambda: check_tensors(package)))
    if run and all(finding.level != "error" for finding in findings):
        findings.extend(_tried("reproduction", lambda: _timed(package)))
    findings.extend(
        Finding("warning", "config.hmz", message) for message in unread(extension_of(package.rdf))
    )
    findings.extend(Finding("warning", "card", message) for message in _wishes(package))
    return Report(folder, tuple(findings), package)


def _file_faults(folder: Path) -> Iterator[PackageError]:
    try:
        document = read_document(folder)
        files = named_files(document)
        refuse_pickles(package_files(folder))
    except PackageError as error:
        yield error
        return
    for file in files:
        try:
            check_file(folder, file)
        except PackageError as error:
            yield error


def _tried(code: str, check: Callable[[], str]) -> Iterator[Finding]:
    try:
        yield Finding("passed", code, check())
    except PackageError as error:
        yield _error(error)


def _error(error: HmzError) -> Finding:
    return Finding("error", error.code, error.detail)


def _timed(package: Package) -> str:
    start_s = time.perf_counter()
    message = reproduce(package)
    return f"{message}, in {time.perf_counter() - start_s:.1f} s"


def _wishes(package: Package) -> Iterator[str]:
    card = package.card
    wanted = {
        "has no licence": card.licence,
        "has no authors": card.authors,
        "has no documentation": card.documentation,
        "has no cover picture": card.thumbnail,
        "has no measured quality": card.quality,
        "does not say what it was trained on": card.training_data,
    }
    for lack, there in wanted.items():
        if not there:
            yield f"the card {lack}"
    for file in named_files(package.rdf):
        if not file.sha256 and not file.may_be_elsewhere:
            yield f"{file.source} has no sha256: a change of it would not be noticed"


def require(report: Report) -> Package:
    """Return the package of a report.

    Raises
    ------
    PackageError
        If something speaks against it; all of it is named.
    """
    if report.ok and report.package is not None:
        return report.package
    errors = [finding for finding in report.findings if finding.level == "error"]
    raise PackageInvalid("; ".join(finding.message for finding in errors))
