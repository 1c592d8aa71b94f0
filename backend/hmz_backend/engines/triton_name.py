"""What models, tensors and words are called in Triton: the same for who writes and who reads."""


def triton_name(model: str, version: str) -> str:
    """Return the Triton model of one version of one model: versions stand side by side."""
    return f"{model}-{version}".replace(".", "_").replace("/", "_")


def network_name(name: str) -> str:
    """Return the Triton model that holds only the network of the Triton model `name`."""
    return f"{name}-network"


def tensor_name(name: str, dtype: str) -> str:
    """Return the Triton input that takes the input `name` in one dtype."""
    return f"{name}_{dtype}"
