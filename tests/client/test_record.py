import os
import stat
from pathlib import Path

import pytest

from napari_hmz.record import RunRecord, RunRecords
from napari_hmz.schema import RunRequest
from napari_hmz.sources import Origin

RECORD = RunRecord(
    run="r-1",
    url="http://127.0.0.1:1",
    model="components",
    volume="v",
    source=Origin(address="/data/cells.zarr", channel=1),
    output="/data/out.ome.zarr",
)


def test_what_is_put_is_found_by_another(tmp_path: Path) -> None:
    RunRecords(tmp_path / "runs").put(RECORD)
    assert RunRecords(tmp_path / "runs").get("r-1") == RECORD
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["r-1.json"]


def test_only_its_user_reads_it(tmp_path: Path) -> None:
    RunRecords(tmp_path / "runs").put(RECORD)
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "runs" / "r-1.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("run", ["r-2", "../r-1", "/etc/passwd"])
def test_what_is_not_there_is_none(tmp_path: Path, run: str) -> None:
    RunRecords(tmp_path).put(RECORD)
    assert RunRecords(tmp_path).get(run) is None


def test_an_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    RunRecords(tmp_path / "runs").put(RECORD.model_copy(update={"run": "../../evil"}))
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_torn_record_is_none(tmp_path: Path) -> None:
    RunRecords(tmp_path).put(RECORD)
    (tmp_path / "r-1.json").write_text('{"run": "r-')
    assert RunRecords(tmp_path).get("r-1") is None


def test_records_of_long_ago_are_dropped(tmp_path: Path) -> None:
    RunRecords(tmp_path).put(RECORD)
    os.utime(tmp_path / "r-1.json", (0, 0))
    records = RunRecords(tmp_path)
    records.put(RECORD.model_copy(update={"run": "r-2"}))
    assert records.get("r-1") is None
    assert records.get("r-2") is not None


def test_a_request_has_one_key_until_its_output_names_the_run(tmp_path: Path) -> None:
    records, out = RunRecords(tmp_path / "runs"), tmp_path / "out.ome.zarr"
    request = RunRequest(model="m", volume="v")
    key = records.key(out, request)
    assert records.key(out, request.model_copy(update={"started_by": "plugin"})) == key
    assert records.key(out, request.model_copy(update={"volume": "w"})) != key
    records.told(out)
    assert records.key(out, request) != key
