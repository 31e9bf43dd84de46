"""What can go wrong with stored bytes and values, in words a person can act on?"""

from __future__ import annotations

from riparian.assets.errors import Conflict, Invalid, NotFound, RiparianError


class ObjectMissing(NotFound):
    """Nothing lies under the name."""

    code = "object_missing"


class ObjectExists(Conflict):
    """The name is taken. Names are never used twice."""


class ObjectChanged(RiparianError):
    """What lies under the name is not what was committed: another identity or size."""

    code = "object_changed"


class ObjectCorrupt(RiparianError):
    """The bytes do not have the sha256 that was committed."""

    code = "object_corrupt"


class InvalidName(Invalid):
    """A name that is not the plain relative name of an object, or that leads out of the store."""


class WrongValue(RiparianError):
    """A value is not what its declaration says, or can not be stored in its format."""

    code = "wrong_value"


class UnreadableInput(RiparianError):
    """Stored content can not be read as the declared type, such as a CSV file with a broken line."""

    code = "unreadable_input"


class UnknownFormat(RiparianError):
    """No format writes or reads the declared type."""

    code = "unknown_format"


class MissingLibrary(UnknownFormat):
    """The library of the declared type is not installed here, or too old."""

    code = "missing_library"


class SourceChanged(Conflict):
    """A source's file is not, or no longer, the one that was observed."""


class SourceRefused(Invalid):
    """A source's path is not a regular file, such as a link or a folder."""
