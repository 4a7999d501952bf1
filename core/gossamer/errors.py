"""The one exception tree. Every message names the file, frame or setting and what to do next."""

__all__ = [
    "CancelledError",
    "ColorError",
    "DataError",
    "FrameError",
    "GossamerError",
    "ImageReadError",
    "ImageWriteError",
    "MissingDependencyError",
    "ModelError",
    "SequenceError",
    "SettingError",
    "TrimapError",
]


class GossamerError(Exception):
    """Anything this project can explain to the user. ``exit_code`` is what the command line returns for it."""

    exit_code = 1


class SettingError(GossamerError):
    """A setting, flag or knob has a value that cannot be used."""

    exit_code = 2


class MissingDependencyError(GossamerError):
    """An optional package is not installed. The message gives the command that installs it."""

    exit_code = 3


class FrameError(GossamerError):
    """Something about one frame of the job."""

    exit_code = 4


class ImageReadError(FrameError):
    """A picture cannot be read: missing, empty, truncated, unknown format, missing channel."""


class ImageWriteError(FrameError):
    """A picture cannot be written: read-only folder, full disk, unsupported format."""


class SequenceError(FrameError):
    """Frames are missing, or a pattern names no files."""


class TrimapError(FrameError):
    """A trimap, mask or limiting matte does not fit the plate or holds no usable values."""


class ColorError(GossamerError):
    """A colour space or OCIO configuration is unknown or cannot be used."""

    exit_code = 5


class ModelError(GossamerError):
    """A model, weight file or engine is unknown, changed or cannot run here."""

    exit_code = 6


class DataError(GossamerError):
    """A data set is incomplete or contradicts itself."""

    exit_code = 7


class CancelledError(GossamerError):
    """The user stopped the job. What was finished is on disk."""

    exit_code = 130
