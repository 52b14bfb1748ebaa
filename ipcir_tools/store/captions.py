"""Captions, made once: each is stored as soon as it is made, so that a run that is killed loses none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import ModelUnavailableError, NotFoundError
from ipcir_tools.models.captioner import NoCaptionError
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.failure_limit import OUTAGES, Attempts, FailureLimit
from ipcir_tools.store.made_once import Claimed, Claims
from ipcir_tools.text import error_line, error_sentence

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner


T = TypeVar("T")
_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""

NOT_TRIED = f"not captioned: the captioner failed {OUTAGES} times in a row"
"""Why a picture has no caption that was never given to a captioner."""

OpenImage = Callable[[str], "Image.Image"]
"""Opens a picture by its id."""
Count = Callable[[str, int, "Counter[str] | None"], None]
"""Counts what was made, for the whole process and for one caller's tally."""


class Captioning:
    """Looks captions up in the catalog and makes those that are missing. Safe for many threads.

    A picture is captioned by one thread at a time, and no lock is held meanwhile: a captioner that does not answer
    holds up those alone who want that very caption.
    """

    def __init__(
        self, catalog: Catalog, captioner: Callable[[], Captioner], captioner_id: Callable[[], str], count: Count
    ) -> None:
        self._catalog = catalog
        self._captioner = captioner
        self._captioner_id = captioner_id
        self._count = count
        self._claims = Claims()
        self.failures = FailureLimit()
        self.error = ""
        """Why the captioner is not available; empty until it failed to load."""

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """The stored captions of pictures, by id."""
        return self._catalog.captions(ids, self._captioner_id())

    def several(
        self, ids: Sequence[str], n: int, open_image: OpenImage, progress: Progress | None, tally: Counter[str] | None
    ) -> dict[str, tuple[str, ...]]:
        """``n`` captions a picture, by id. The captions of one batch of a local model are stored in one step.

        What another thread makes just now is waited for, and fails here where it fails there. Raises
        ModelUnavailableError where some could not be made, after the others are stored.
        """
        stored_as = _several(self._noting_errors(self._captioner_id), n)
        known = self._catalog.captions(ids, stored_as)
        if missing := [id_ for id_ in dict.fromkeys(ids) if id_ not in known]:
            made = 0
            with self.failures.attempts() as attempts:
                for complete in self._made_once(missing, n, open_image, attempts, tally):
                    known |= complete
                    made += len(complete)
                    if progress:
                        progress("captioning", made, len(missing))
        return {id_: (text,) if n == 1 else tuple(json.loads(text)) for id_, text in known.items()}

    @contextmanager
    def run(self, tally: Counter[str]) -> Iterator[CaptionRun]:
        """Captions of many pictures, block by block. Within the run a chat model's failures in a row are counted over
        all blocks: after ``OUTAGES`` of them nothing more is sent."""
        with self.failures.shared() as attempts:
            yield CaptionRun(self, attempts, tally)

    def claim(self, ids: Iterable[str]) -> AbstractContextManager[Claimed]:
        """Claim to caption those of the pictures that no other thread is captioning."""
        return self._claims.of(ids)

    def block(
        self, images: Mapping[str, Image.Image], attempts: Attempts, tally: Counter[str], *, proven: bool
    ) -> Iterator[dict[str, list[str] | str]]:
        """Caption these pictures, and store each batch: by id, the captions or why there is none.

        Raises ModelUnavailableError where the captioner cannot be loaded, or a local one that is not ``proven`` yet
        fails on every picture.
        """
        captioner = self._noting_errors(self._captioner)
        made_by = self._outcomes(captioner, images, attempts, proven=proven)
        with self._spending(captioner, tally), closing(made_by) as outcomes:
            for batch in outcomes:
                made = {id_: texts for id_, texts in batch.items() if isinstance(texts, list)}
                self._store(made, {id_: [] for id_ in made}, 1, tally)
                yield batch

    def block_size(self) -> int:
        """How many pictures the captioner takes at a time. Raises ModelUnavailableError."""
        return self._noting_errors(self._captioner).batch_size

    def is_remote(self) -> bool:
        """Whether another machine makes them. Raises ModelUnavailableError."""
        return self._noting_errors(self._captioner).device == "remote"

    def _outcomes(
        self, captioner: Captioner, images: Mapping[str, Image.Image], attempts: Attempts, *, proven: bool
    ) -> Generator[dict[str, list[str] | str]]:
        """By id, the caption or the reason why there is none, batch by batch.

        Pictures of a batch that fails are captioned one by one. Raises ModelUnavailableError where all fail, unless
        the captioner is ``proven`` by other pictures.
        """
        left, ids = dict(images), list(images)
        try:
            with closing(captioner.captions(list(images.values()))) as batches:
                for batch in batches:
                    outcomes = {ids[place]: _text_or_reason(outcome, attempts) for place, outcome in batch}
                    left = {id_: image for id_, image in left.items() if id_ not in outcomes}
                    yield outcomes
                    if attempts.reached:
                        return
            yield dict.fromkeys(left, f"{captioner.id} gave no caption")
            return
        except Exception as error:  # noqa: BLE001 - a model raises anything on a picture that it cannot take
            whole = error
        outcomes = {id_: _alone(captioner, image) for id_, image in left.items()}
        if not proven and len(left) == len(images) and not any(isinstance(each, list) for each in outcomes.values()):
            raise ModelUnavailableError(
                f"The captioner {captioner.id} fails on every picture: {error_sentence(whole)}"
            ) from whole
        yield outcomes

    def _made_once(
        self, ids: Sequence[str], n: int, open_image: OpenImage, attempts: Attempts, tally: Counter[str] | None
    ) -> Iterator[dict[str, str]]:
        """The captions of pictures as they are stored, by this thread or another; none of pictures that failed."""
        stored_as = _several(self._captioner_id(), n)
        keys = {_claim_key(id_, n): id_ for id_ in ids}
        while keys and not attempts.reached:
            with self._claims.of(keys) as claimed:
                own = [keys.pop(key) for key in claimed.own]
                for complete in self._make(own, n, open_image, attempts, tally):
                    claimed.settle(_claim_key(id_, n) for id_ in complete)
                    yield complete
                if attempts.failures:  # each was tried, or no further call is made
                    claimed.settle(claimed.own, attempts.failures[-1])
            for key, error in claimed.waited():
                if isinstance(error, ModelUnavailableError):
                    attempts.failed(error, counts=False)
                    del keys[key]
            made = self._catalog.captions(list(keys.values()), stored_as)
            keys = {key: id_ for key, id_ in keys.items() if id_ not in made}
            yield made

    def _make(
        self, ids: Sequence[str], n: int, open_image: OpenImage, attempts: Attempts, tally: Counter[str] | None
    ) -> Iterator[dict[str, str]]:
        """The captions of pictures, as they are made and stored, until the captioner fails too often."""
        for block in chunked(ids, _BLOCK):
            known = self._catalog.captions(block, _several(self._captioner_id(), n))  # made since they were looked for
            captions = self._partial([id_ for id_ in block if id_ not in known], n)
            yield known | self._store({id_: [] for id_ in captions}, captions, n, tally)
            for lacking in sorted({n - len(texts) for texts in captions.values()} - {0}):
                some = [id_ for id_ in captions if n - len(captions[id_]) == lacking]
                for batch in self._batches(some, lacking, open_image, attempts, tally):
                    yield self._store(batch, captions, n, tally)
                if attempts.reached:
                    return
            if not attempts.failures and any(len(texts) < n for texts in captions.values()):
                attempts.failed(NoCaptionError(f"The captioner {self._captioner_id()} gave fewer captions than asked."))

    def _batches(
        self, ids: Sequence[str], n: int, open_image: OpenImage, attempts: Attempts, tally: Counter[str] | None
    ) -> Iterator[dict[str, list[str]]]:
        captioner, images = self._noting_errors(self._captioner), [open_image(id_) for id_ in ids]
        with self._spending(captioner, tally), closing(captioner.captions(images, n)) as batches:
            for batch in batches:
                yield {ids[place]: _checked(outcome, attempts) for place, outcome in batch}
                if attempts.reached:
                    return

    @contextmanager
    def _spending(self, captioner: Captioner, tally: Counter[str] | None) -> Iterator[None]:
        """Count what a chat model takes within the block."""
        with captioner.spending() as spent:
            try:
                yield
            finally:
                for what, number in spent.items():
                    self._count(f"captioner_{what}", number, tally)

    def _partial(self, ids: Sequence[str], n: int) -> dict[str, list[str]]:
        """The captions of pictures that lack some: what a run that was killed has stored."""
        captions: dict[str, list[str]] = {id_: [] for id_ in ids}
        for place in range(n if n > 1 else 0):
            for id_, text in self._catalog.captions(ids, _one_of(self._captioner_id(), n, place)).items():
                captions[id_].append(text)
        return captions

    def _store(
        self, batch: Mapping[str, list[str]], captions: Mapping[str, list[str]], n: int, tally: Counter[str] | None
    ) -> dict[str, str]:
        """Store a batch; the pictures of it that now have all captions. Those of the others are stored one by one."""
        captioner = self._captioner_id()
        for id_, texts in batch.items():
            for place, text in enumerate(texts if len(texts) < n else (), start=len(captions[id_])):
                self._catalog.put_captions({id_: text}, _one_of(captioner, n, place))
            captions[id_].extend(texts)
        whole = {id_: captions[id_] for id_ in batch if len(captions[id_]) == n}
        complete = {id_: texts[0] if n == 1 else json.dumps(texts) for id_, texts in whole.items()}
        self._catalog.put_captions(complete, _several(captioner, n))
        self._count("captions", sum(map(len, batch.values())), tally)
        return complete

    def _noting_errors(self, load: Callable[[], T]) -> T:
        try:
            return load()
        except ModelUnavailableError as error:
            self.error = str(error)
            raise


class CaptionRun:
    """Captions of many pictures, each tried once; why some have none is in ``failed``, by id."""

    def __init__(self, captioning: Captioning, attempts: Attempts, tally: Counter[str]) -> None:
        self._captioning, self._attempts, self._tally = captioning, attempts, tally
        self._proven = False
        self.failed: dict[str, str] = {}
        self.stopped = False
        """Set by another thread, to end the block that is being captioned after its next caption."""

    def caption(self, images: Mapping[str, Image.Image]) -> int:
        """Caption those of the pictures that have no caption; how many there were. Each is stored when it is made.

        A picture that cannot be captioned does not stop the others. Raises as :meth:`Captioning.block`.
        """
        keys = {_claim_key(id_): id_ for id_ in images if id_ not in self.failed}
        wanted = 0
        while keys and not self.stopped:
            with self._captioning.claim(keys) as claimed:
                own = {(id_ := keys.pop(key)): images[id_] for key in claimed.own}
                wanted += self._caption(own, claimed)
            for key, error in claimed.waited():
                if error is not None:
                    self.failed[keys.pop(key)] = str(error)
        return 0 if self.stopped else wanted

    def _caption(self, images: Mapping[str, Image.Image], claimed: Claimed) -> int:
        """The same of pictures that this thread has claimed."""
        captioning = self._captioning
        known = captioning.known(list(images))
        self._proven |= bool(known)
        wanted = {id_: image for id_, image in images.items() if id_ not in known}
        if wanted and not self._attempts.reached:
            for batch in captioning.block(wanted, self._attempts, self._tally, proven=self._proven):
                self.failed |= {id_: why for id_, why in batch.items() if isinstance(why, str)}
                self._proven |= any(isinstance(made, list) for made in batch.values())
                claimed.settle(_claim_key(id_) for id_, made in batch.items() if isinstance(made, list))
                if self.stopped:
                    return 0
        if self._attempts.reached:
            known = captioning.known(list(wanted))
            self.failed |= {id_: NOT_TRIED for id_ in wanted if id_ not in self.failed and id_ not in known}
        return len(wanted)

    def open_and_caption(self, ids: Sequence[str], open_image: OpenImage) -> None:
        """The same of pictures that have no caption and are to be opened; one that cannot be opened is a failure."""
        if self._attempts.reached:
            self.failed |= dict.fromkeys(ids, NOT_TRIED)
            return
        images: dict[str, Image.Image] = {}
        for id_ in ids:
            try:
                images[id_] = open_image(id_)
            except NotFoundError as error:
                self.failed[id_] = str(error)
        self.caption(images)


def _alone(captioner: Captioner, image: Image.Image) -> list[str] | str:
    try:
        return captioner.caption([image])[0]
    except Exception as error:  # noqa: BLE001 - as for a batch
        return f"cannot be captioned ({error_line(error, 80)})"


def _text_or_reason(outcome: list[str] | ModelUnavailableError, attempts: Attempts) -> list[str] | str:
    return _checked(outcome, attempts) or str(attempts.failures[-1])


def _checked(outcome: list[str] | ModelUnavailableError, attempts: Attempts) -> list[str]:
    """The captions of one outcome; none, and its failure noted, where it is an error."""
    if isinstance(outcome, ModelUnavailableError):
        # one that answered without a caption may have one of the next picture
        attempts.failed(outcome, counts=not isinstance(outcome, NoCaptionError))
        return []
    attempts.succeeded()
    return outcome


def _claim_key(id_: str, n: int = 1) -> str:
    return f"{n} {id_}"


def _several(captioner: str, n: int) -> str:
    """The captioner under which ``n`` captions are stored; a single caption is never one of several."""
    return captioner if n == 1 else f"{captioner}*{n}"


def _one_of(captioner: str, n: int, place: int) -> str:
    """The captioner under which one of ``n`` captions is stored until all are made."""
    return f"{_several(captioner, n)}#{place}"
