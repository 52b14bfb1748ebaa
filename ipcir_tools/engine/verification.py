"""The step of a turn that scores its first hits again by what they show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.chains.reranking.judgements import hits_at
from ipcir_tools.engine.verified_order import verified_order
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.text import error_line
from ipcir_tools.types import BY_CHAT_MODEL, ComposedQuery, FloatArray, Hit, ImaginedTarget, is_by_chat_model

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from PIL import Image

    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.chains.composition.requests import ComposeRequest
    from ipcir_tools.engine.components import Components


NO_DESCRIPTION = "no text describes the target, so that the hits were not verified"


@dataclass(frozen=True)
class VerifyRequest:
    """The first hits of a search, best first, and how the search was made."""

    hits: tuple[Hit, ...]
    request: ComposeRequest
    composed: Composed
    asked: bool = True
    """Whether the query names the number of hits; what ``auto`` cannot do is no warning."""

    @property
    def description(self) -> str:
        """The text that describes the target: the imagined one, or the words of a search by words; else empty."""
        if self.composed.imagination is not None:
            return self.composed.imagination.target.description
        return self.request.text if self.request.reference is None else ""


@dataclass(frozen=True)
class VerifiedHits:
    """The same hits in their new order with ``verified``, or unchanged, and how the order was made."""

    hits: tuple[Hit, ...]
    verifier: str | None = None
    """What verified the hits; None where they are unchanged."""
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class HitVerifier:
    """Verifies the hits of a query as it asks: by the captioner, or by a chat model."""

    def __init__(self, components: Components, known: Callable[[Sequence[str]], Mapping[str, FloatArray]]) -> None:
        """``known`` gives the features ``[d]`` of the gallery's pictures, by id."""
        self._components, self._known = components, known

    def check(self, query: ComposedQuery) -> None:
        """Raises InvalidRequestError for a captioner without likelihoods, where the query asks for them."""
        if isinstance(query.verify, int) and query.verify:
            try:
                self._components.verifier.require()
            except ModelUnavailableError:
                return  # the search itself says so, or goes on without it

    def amount(self, query: ComposedQuery, request: ComposeRequest, composed: Composed) -> int:
        """How many of the first hits are verified."""
        if query.verify == "auto":
            described = VerifyRequest((), request, composed).description
            return self._components.verifier.auto_amount() if described else 0
        return int(str(query.verify).removeprefix(BY_CHAT_MODEL))

    def verify(
        self,
        query: ComposedQuery,
        amount: int,
        hits: tuple[Hit, ...],
        request: ComposeRequest,
        composed: Composed,
        config: RunnableConfig | None = None,
    ) -> VerifiedHits:
        """All ``hits``, the first ``amount`` of them in their new order."""
        if not amount or not hits:
            return VerifiedHits(hits)
        first = VerifyRequest(hits[:amount], request, composed, asked=query.verify != "auto")
        found = self._checked(first, config) if is_by_chat_model(query.verify) else self._by_captioner(first)
        return replace(found, hits=(*found.hits, *hits[amount:]))

    def _checked(self, first: VerifyRequest, config: RunnableConfig | None) -> VerifiedHits:
        """The hits ordered by a chat model's true/false checks."""
        from ipcir_tools.chains.reranking.checks import CheckRequest, checks_of

        if not first.description:
            return _unchanged(first, NO_DESCRIPTION)
        imagination = first.composed.imagination
        described = ImaginedTarget(description=first.description, origin="rules")
        checks = checks_of(imagination.target if imagination else described)
        load_image = partial(self._components.load_image, first.request.pixels)
        try:
            checked = self._components.check.invoke(CheckRequest(first.hits, load_image, checks=checks), config)
        except ModelUnavailableError as error:
            return _unchanged(first, str(error))
        verified = sum(hit.verified is not None for hit in checked.hits)
        verifier = f"{self._components.reranker} ({checked.prompt}) ({len(checked.hits)} hits)"
        counts = {"verified": verified, "verify_calls": checked.calls}
        return VerifiedHits(checked.hits, verifier if checked.prompt else None, checked.warnings, counts)

    def _by_captioner(self, first: VerifyRequest) -> VerifiedHits:
        """The hits ordered by the likelihood of the description under the captioner."""
        text, verifier = first.description, self._components.verifier
        if not text:
            return _unchanged(first, NO_DESCRIPTION)
        pixels: Mapping[str, Image.Image] = first.request.pixels
        try:
            values = verifier.log_likelihoods([(hit.id, text) for hit in first.hits], pixels)
        except ModelUnavailableError as error:
            verifier.set_unavailable()
            return _unchanged(first, str(error))
        except Exception as error:  # noqa: BLE001 - a captioner may raise anything, and the search is done already
            # one failure is no reason to leave the next search unverified, but to say so, under auto as well
            return _unchanged(replace(first, asked=True), error_line(error, 300))
        probe, ids = first.composed.verification_probe, [hit.id for hit in first.hits]
        features = self._known(ids)
        scores = probe.score(np.stack([features[id_] for id_ in ids]))
        order = verified_order(scores.tolist(), values, self._components.calibration.spread(probe))
        missing = values.count(None)
        gone = f"{missing} of {len(values)} hits could not be opened to be verified, and kept their places"
        return VerifiedHits(
            hits_at(first.hits, [place + 1 for place in order], verified=dict(enumerate(values, start=1))),
            f"{self._components.captioner_id} ({len(values)} hits)",
            (gone,) if missing and first.asked else (),
            {"verified": len(values) - missing},
        )


def verified_amount(verifier: str | None) -> int:
    """How many hits a turn's ``verifier`` scored, by its name in ``Turn.models``; 0 for None."""
    found = re.search(r"\((\d+) hits\)$", verifier or "")
    return int(found[1]) if found else 0


def _unchanged(first: VerifyRequest, reason: str) -> VerifiedHits:
    """The hits as they were, with the reason as a warning where the query asked for it."""
    from ipcir_tools.chains.reranking.sheet_reader import ORDER_UNCHANGED

    return VerifiedHits(first.hits, warnings=(f"{reason}; {ORDER_UNCHANGED}",) if first.asked else ())
