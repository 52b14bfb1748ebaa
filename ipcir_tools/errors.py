"""Everything that can go wrong and that a user or an agent can fix.

::

    IPCIRError                  what the package raises on purpose; its text names the thing and the way out
    +-- InvalidRequestError          an argument is wrong: empty text, k = 0, a weight outside 0 to 1, an unknown filter
    +-- NotFoundError                an id, a file or a turn that does not exist
    |   +-- FolderGoneError          a folder or file that is gone, and from which the gallery still has pictures
    +-- NotAllowedError              a path outside the allowed folders, or a URL while URLs are off
    +-- BadImageError                bytes that are no readable picture, or more than the limits allow
    |   +-- UnreadableFileError      a file whose bytes the system does not give now: nothing is known about them
    +-- EmptyGalleryError            a search before anything was indexed, or captioned where a method needs captions
    +-- SpaceMismatchError           the gallery was made by another encoder
    +-- ModelUnavailableError        weights, a model name or a provider that is not available
    +-- BusyError               a server has more calls than it takes at a time
    +-- CatalogError            the catalog itself cannot be opened or written

A face prints the text of an ``IPCIRError`` as one line and never shows its traceback.
"""

from __future__ import annotations


class IPCIRError(Exception):
    """What the package raises on purpose; the text says what is wrong and what to do."""


class InvalidRequestError(IPCIRError):
    """An argument that can never work."""


class NotFoundError(IPCIRError):
    """A named thing that does not exist."""


class FolderGoneError(NotFoundError):
    """A folder or file that is gone, and from which the gallery still has pictures."""


class NotAllowedError(IPCIRError):
    """Something that the settings do not permit."""


class BadImageError(IPCIRError):
    """Bytes that are no readable picture, or more than the limits allow."""


class UnreadableFileError(BadImageError):
    """A file that the system does not let read now (permissions, a failing drive): its bytes may be as before."""


class EmptyGalleryError(IPCIRError):
    """A search in a gallery that holds nothing, or no captions where a method scores by them."""


class SpaceMismatchError(IPCIRError):
    """Features of two encoders do not compare."""


class ModelUnavailableError(IPCIRError):
    """A model that cannot be loaded or reached."""


class BusyError(IPCIRError):
    """A server has more calls than it takes at a time; the same call may be sent again later."""


class CatalogError(IPCIRError):
    """The catalog cannot be opened, read or written."""
