"""Everything that can go wrong and that a user or an agent can mend.

::

    IPCIRError                  what the package raises on purpose; its text names the thing and the way out
    +-- InvalidRequest          an argument is wrong: empty text, k = 0, a weight outside 0 to 1, an unknown filter
    +-- NotFound                an id, a file or a turn that does not exist
    +-- NotAllowed              a path outside the allowed folders, or a URL while URLs are off
    +-- BadImage                bytes that are no readable picture, or more than the limits allow
    +-- EmptyGallery            a search before anything was indexed
    +-- SpaceMismatch           the gallery was made by another encoder
    +-- ModelUnavailable        weights, a model name or a provider that cannot be had
    +-- CatalogError            the catalog itself cannot be opened or written

A face prints the text of an ``IPCIRError`` as one line and never shows its traceback.
"""

from __future__ import annotations


class IPCIRError(Exception):
    """What the package raises on purpose; the text says what is wrong and what to do."""


class InvalidRequest(IPCIRError):
    """An argument that can never work."""


class NotFound(IPCIRError):
    """A named thing that does not exist."""


class NotAllowed(IPCIRError):
    """Something that the settings do not permit."""


class BadImage(IPCIRError):
    """Bytes that are no readable picture, or more than the limits allow."""


class EmptyGallery(IPCIRError):
    """A search in a gallery that holds nothing."""


class SpaceMismatch(IPCIRError):
    """Features of two encoders do not compare."""


class ModelUnavailable(IPCIRError):
    """A model that cannot be loaded or reached."""


class CatalogError(IPCIRError):
    """The catalog cannot be opened, read or written."""
