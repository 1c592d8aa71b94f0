"""The base of every message: frozen, and deaf to fields that a newer peer may send."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen message of the wire; fields that this version does not know are dropped."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        ser_json_inf_nan="strings",
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
