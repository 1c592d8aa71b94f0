import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from hmz_backend.engines.triton_name import tensor_name, triton_name
from hmz_backend.engines.words import FAILED, WORDS
from hmz_backend.testing.engine_contract import contract_package
from hmz_backend.testing.packages import TinyPackage
from hmz_backend.zoo.package import Package, load_package
from hmz_backend.zoo.triton_config import NetworkTensor, config_pbtxt, network_pbtxt
from hmz_backend.zoo.triton_repository import write_triton_repository
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import ModelCard


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(contract_package(tmp_path_factory.mktemp("packages") / "contract"))


def parsed(text: str) -> ModelConfig:
    """Read a configuration as Triton does: by its own message, unknown fields refused."""
    return text_format.Parse(text, ModelConfig())


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_models_are_named_by_version_without_dots() -> None:
    assert triton_name("nuclei-2d", "1.10.0") == "nuclei-2d-1_10_0"
    assert triton_name("a", "1") != triton_name("a", "2")


def test_every_dtype_of_an_input_is_an_optional_tensor(contract: Package) -> None:
    config = parsed(config_pbtxt(contract.card, kind="python", instances=3))
    assert config.name == "contract-1_0_0"
    assert config.backend == "python"
    assert config.max_batch_size == 0
    assert [group.count for group in config.instance_group] == [3]
    inputs = {tensor.name: tensor for tensor in config.input}
    expected = {tensor_name("image", dtype) for dtype in contract.card.inputs[0].dtypes}
    assert set(inputs) == {*expected, WORDS}
    assert all(tensor.optional for tensor in config.input)
    assert list(inputs["image_uint16"].dims) == [-1, -1]
    assert [(tensor.name, list(tensor.dims)) for tensor in config.output] == [("labels", [-1, -1])]
    assert config.parameters["hmz_digest"].string_value == contract.card.digest
    assert "EXECUTION_ENV_PATH" not in config.parameters


def test_a_foreign_triton_gets_its_environment_by_path(contract: Package) -> None:
    text = config_pbtxt(contract.card, kind="python", instances=1, environment="/cvmfs/hmz/env")
    assert parsed(text).parameters["EXECUTION_ENV_PATH"].string_value == "/cvmfs/hmz/env"


def test_a_network_with_a_free_batch_axis_is_batched() -> None:
    tensors = [NetworkTensor("input", "float32", (-1, 1, -1, -1))]
    config = parsed(network_pbtxt("n-network", tensors, tensors, batch=8, instances=2))
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == 8
    assert config.HasField("dynamic_batching")
    assert list(config.input[0].dims) == [1, -1, -1]
    group = config.instance_group[0]
    assert (group.count, group.kind) == (2, group.KIND_GPU)


@pytest.mark.parametrize(("batch", "first"), [(1, -1), (8, 1)])
def test_a_network_that_cannot_be_batched_is_not(batch: int, first: int) -> None:
    tensors = [NetworkTensor("input", "float32", (first, 1, 64, 64))]
    config = parsed(network_pbtxt("n-network", tensors, tensors, batch=batch))
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert list(config.input[0].dims) == [first, 1, 64, 64]


def test_a_model_carries_all_that_it_needs(contract: Package, tmp_path: Path) -> None:
    write_triton_repository([contract], tmp_path / "repository")
    model = tmp_path / "repository" / "contract-1_0_0"
    written = files(model)
    assert {"config.pbtxt", "1/model.py", "1/hmz_serving/model.py"} <= written
    assert {name for name in written if name.startswith("1/package/")} == {
        f"1/package/{name}" for name in files(contract.folder)
    }
    assert not any("__pycache__" in name for name in written)
    assert "1/network.json" not in written


def test_the_copied_serving_package_imports_nothing_of_ours(
    contract: Package, tmp_path: Path
) -> None:
    write_triton_repository([contract], tmp_path / "repository")
    for path in (tmp_path / "repository").rglob("hmz_serving/*.py"):
        text = path.read_text()
        assert "import hmz_backend" not in text
        assert "from hmz_backend" not in text
        assert "napari_hmz" not in text


def test_the_words_on_both_sides_are_the_same() -> None:
    text = (Path(serving_folder()) / "triton_model.py").read_text()
    assert f'WORDS = "{WORDS}"' in text
    assert f'FAILED = "{FAILED}"' in text


def serving_folder() -> str:
    from hmz_backend import serving

    return str(serving.__path__[0])


def test_a_network_of_its_own_is_called_by_the_python_part(tmp_path: Path) -> None:
    hmz = {"tile": {"batch": 4}}
    package = load_package(TinyPackage(network="mean", hmz=hmz).write(tmp_path / "tiny"))
    write_triton_repository([package], tmp_path / "repository", kind="bls")
    repository = tmp_path / "repository"
    assert {path.name for path in repository.iterdir()} == {"tiny-1_0_0", "tiny-1_0_0-network"}
    network = repository / "tiny-1_0_0-network"
    assert files(network) == {"config.pbtxt", "1/model.onnx"}
    config = parsed((network / "config.pbtxt").read_text())
    assert config.name == network.name
    assert config.max_batch_size == 4
    document = json.loads((repository / "tiny-1_0_0" / "1" / "network.json").read_text())
    assert document == {
        "model": "tiny-1_0_0-network",
        "inputs": [{"name": "input", "dtype": "float32"}],
        "outputs": [{"name": "output", "dtype": "float32"}],
    }
    python_part = parsed((repository / "tiny-1_0_0" / "config.pbtxt").read_text())
    assert python_part.parameters["hmz_kind"].string_value == "bls"


def test_writing_again_makes_exactly_the_given_models(contract: Package, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    tiny = load_package(TinyPackage().write(tmp_path / "tiny"))
    write_triton_repository([contract, tiny], repository)
    (repository / "tiny-1_0_0" / "1" / "left over").touch()
    write_triton_repository([tiny], repository)
    assert [path.name for path in repository.iterdir()] == ["tiny-1_0_0"]
    assert not (repository / "tiny-1_0_0" / "1" / "left over").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", "repository"}


@dataclass(frozen=True)
class Unreadable:
    """A package whose files cannot be copied."""

    folder: Path
    card: ModelCard


def test_a_failure_leaves_the_repository_as_it_was(contract: Package, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write_triton_repository([contract], repository)
    before = files(repository)
    broken = Unreadable(tmp_path / "nothing", contract.card.model_copy(update={"id": "broken"}))
    with pytest.raises(OSError, match="nothing"):
        write_triton_repository([contract, broken], repository)
    assert files(repository) == before
    assert {path.name for path in tmp_path.iterdir()} == {"repository"}


def test_a_package_without_onnx_has_no_network_of_its_own(
    contract: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmz_backend.zoo.triton_repository.onnx_weights", lambda _: None)
    with pytest.raises(PackageInvalid, match="no ONNX network"):
        write_triton_repository([contract], tmp_path / "repository", kind="bls")
