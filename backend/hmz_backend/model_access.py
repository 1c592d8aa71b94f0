"""What an admin says of a model, in place of what its package says."""

from hmz_backend.issuers import Group, Section
from napari_hmz.schema import DataClass


class ModelAccess(Section):
    """Who may see and use a model, and what it may be given."""

    public: bool = False
    """Whether everybody may; without groups and not public, only reviewers and admins may."""
    groups: tuple[Group, ...] = ()
    """AARC-G069 groups whose members may."""
    data_classes: tuple[DataClass, ...] = ()
    """Which images it may be given, `open` or `sensitive` ones; none: any."""
