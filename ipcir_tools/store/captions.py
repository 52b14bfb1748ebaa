"""Captions, made once ever: each is kept as it comes, so that nothing that was paid for is lost."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.failure_limit import FailureLimit

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner


_T = TypeVar("_T")
_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""

Open = Callable[[str], "Image.Image"]
"""Opens a picture by its id."""
Count = Callable[[str, int, "Counter[str] | None"], None]
"""Counts what was made."""


class Captioning:
    """Looks captions up in the catalog and makes those that are missing. Safe for many threads."""

    def __init__(
        self, catalog: Catalog, captioner: Callable[[], Captioner], captioner_id: Callable[[], str], count: Count
    ) -> None:
        self._catalog = catalog
        self._captioner = captioner
        self._captioner_id = captioner_id
        self._count = count
        self._making = threading.Lock()
        """Held while captions are made, so that two threads never make the same."""
        self.patience = FailureLimit()
        self.unavailable = ""
        """Why the captioner cannot be had; empty while nobody found that."""

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """The single captions that are there already."""
        return self._catalog.captions(ids, self._captioner_id())

    def several(
        self, ids: Sequence[str], n: int, opened: Open, progress: Progress | None, tally: Counter[str] | None
    ) -> dict[str, tuple[str, ...]]:
        """``n`` captions a picture, by id. What a model on this machine says in one batch is kept in one step.

        Raises ModelUnavailableError where some could not be made, when the others are kept.
        """
        kept_as = _several(self._had(self._captioner_id), n)
        known = self._catalog.captions(ids, kept_as)
        if len(known) < len(set(ids)):
            with self._making, self.patience.round() as failures:
                known = self._catalog.captions(ids, kept_as)
                missing, made = [id_ for id_ in dict.fromkeys(ids) if id_ not in known], 0
                for came in self._made(missing, n, opened, failures, tally):
                    known |= came
                    made += len(came)
                    if progress:
                        progress("captioning", made, len(missing))
        return {id_: (text,) if n == 1 else tuple(json.loads(text)) for id_, text in known.items()}

    def _made(
        self,
        missing: Sequence[str],
        n: int,
        opened: Open,
        failures: list[ModelUnavailableError],
        tally: Counter[str] | None,
    ) -> Iterator[dict[str, str]]:
        """The captions of pictures, as they are made and kept, until the captioner fails too often."""
        for block in chunked(missing, _BLOCK):
            said = self._begun(block, n)
            yield self._kept({id_: [] for id_ in block}, said, n, tally)
            for lacking in sorted({n - len(texts) for texts in said.values()} - {0}):
                some = [id_ for id_ in block if n - len(said[id_]) == lacking]
                for came in self._asked(some, lacking, opened, failures, tally):
                    yield self._kept(came, said, n, tally)
                if self.patience.over:
                    return

    def _asked(
        self,
        ids: Sequence[str],
        n: int,
        opened: Open,
        failures: list[ModelUnavailableError],
        tally: Counter[str] | None,
    ) -> Iterator[dict[str, list[str]]]:
        captioner, shown = self._had(self._captioner), [opened(id_) for id_ in ids]
        before = Counter(captioner.spent)
        try:
            with closing(captioner.captions(shown, n)) as captions:
                for came in captions:
                    yield dict(self._heard(ids[place], said, failures) for place, said in came)
                    if self.patience.over:
                        return
        finally:
            for what, number in (captioner.spent - before).items():
                self._count(f"captioner_{what}", number, tally)

    def _heard(
        self, id_: str, said: list[str] | ModelUnavailableError, failures: list[ModelUnavailableError]
    ) -> tuple[str, list[str]]:
        if isinstance(said, ModelUnavailableError):
            failures.append(said)
            self.patience.failed(said)
            return id_, []
        self.patience.answered()
        return id_, said

    def _begun(self, ids: Sequence[str], n: int) -> dict[str, list[str]]:
        """Captions of pictures that do not have all of theirs yet: what a run that was killed left."""
        said: dict[str, list[str]] = {id_: [] for id_ in ids}
        for place in range(n if n > 1 else 0):
            for id_, text in self._catalog.captions(ids, _one_of(self._captioner_id(), n, place)).items():
                said[id_].append(text)
        return said

    def _kept(
        self, came: Mapping[str, list[str]], said: Mapping[str, list[str]], n: int, tally: Counter[str] | None
    ) -> dict[str, str]:
        """Keep what was said; those pictures whose captions are all there now. The others are kept one by one."""
        captioner = self._captioner_id()
        for id_, texts in came.items():
            for place, text in enumerate(texts if len(texts) < n else (), start=len(said[id_])):
                self._catalog.put_captions({id_: text}, _one_of(captioner, n, place))
            said[id_].extend(texts)
        whole = {id_: said[id_] for id_ in came if len(said[id_]) == n}
        made = {id_: texts[0] if n == 1 else json.dumps(texts) for id_, texts in whole.items()}
        self._catalog.put_captions(made, _several(captioner, n))
        self._count("captions", sum(map(len, came.values())), tally)
        return made

    def _had(self, what: Callable[[], _T]) -> _T:
        try:
            return what()
        except ModelUnavailableError as error:
            self.unavailable = str(error)
            raise


def _several(captioner: str, n: int) -> str:
    """Under which ``n`` captions are kept: what is said in several ways is no part of what is said in one."""
    return captioner if n == 1 else f"{captioner}*{n}"


def _one_of(captioner: str, n: int, place: int) -> str:
    """Under which one of ``n`` captions is kept while the others are not there."""
    return f"{_several(captioner, n)}#{place}"
