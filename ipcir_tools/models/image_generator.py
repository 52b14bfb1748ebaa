"""Descriptions to pictures: what IP-CIR's image proxy is made of.

::

    image_generator = load_image_generator("diffusers:stabilityai/sd-turbo", settings)
    image_generator.draw(["a blue dress with long sleeves"], n=4)      # one list of four pictures

A name is one of

- ``openai:MODEL``: an images endpoint in OpenAI's protocol, at ``image_generator_base_url`` or at OpenAI's own;
- ``diffusers:ORG/NAME`` or ``diffusers:PATH``: a text-to-image pipeline, with ``pip install "ipcir-tools[diffusers]"``;
- ``python:MODULE:NAME``: an image generator of one's own, whatever ``NAME()`` in that module gives;
- ``wardrobe``: the demo world's renderer, for its descriptions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.text import json_digest

if TYPE_CHECKING:
    from PIL import Image


WAYS_OUT = "Choose another image generator (IPCIR_IMAGE_GENERATOR), or a composer that draws nothing."

Drawn = list["Image.Image"] | InvalidRequestError | ModelUnavailableError
"""The pictures of one description, or why there are none: it cannot be drawn, or the image generator gave nothing."""


class ImageGenerator(ABC):
    """Draws pictures of what texts describe. A subclass draws one description; order, seeds and checks are here.

    ``id`` names all that decides a picture but its description and seed. ``edits`` says whether references are looked
    at; an image generator that does not is shown none. ``concurrency`` descriptions are drawn at a time.
    """

    id: str
    edits: bool = False
    concurrency: int = 1

    @abstractmethod
    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        """One picture for each of ``seeds``.

        Raises InvalidRequestError for a description that cannot be drawn, ModelUnavailableError where nothing can be.
        """

    def draw(
        self,
        descriptions: Sequence[str],
        n: int = 1,
        references: Sequence[Image.Image] | None = None,
        *,
        seed: int = 0,
    ) -> list[list[Image.Image]]:
        """``n`` RGB pictures of each description; the same ones for the same ``seed`` where the model can do that.

        Raises InvalidRequestError for the first description that cannot be drawn, and ModelUnavailableError.
        """
        drawn: dict[int, list[Image.Image]] = {}
        refused: dict[int, InvalidRequestError] = {}
        for place, each in self.drawings(descriptions, n, references, seed=seed):
            if isinstance(each, ModelUnavailableError):
                raise each
            if isinstance(each, InvalidRequestError):
                refused[place] = each
            else:
                drawn[place] = each
        if refused:
            raise refused[min(refused)]
        return [drawn[place] for place in range(len(descriptions))]

    def drawings(
        self,
        descriptions: Sequence[str],
        n: int = 1,
        references: Sequence[Image.Image] | None = None,
        *,
        seed: int = 0,
    ) -> Generator[tuple[int, Drawn]]:
        """As :meth:`draw`, each with its description's place, as soon as it is there.

        What was not drawn gives its error instead, and the others go on; who has seen enough of them stops iterating,
        and no more is drawn. A picture depends on its description, its place among the ``n`` and the seed, never on
        what else is drawn.
        """
        if n < 1:
            raise InvalidRequestError(f"n must be at least 1, not {n}.")
        shown = references if references is not None and self.edits else [None] * len(descriptions)
        with ThreadPoolExecutor(self.concurrency, "ipcir-draw") as pool:
            ahead: dict[Future[Drawn], int] = {}
            try:
                for place, (text, reference) in enumerate(zip(descriptions, shown, strict=True)):
                    ahead[pool.submit(self._tried, text, n, seed, reference)] = place
                    if len(ahead) > 2 * self.concurrency:  # no more pictures than that wait in memory
                        yield from _finished(ahead)
                while ahead:
                    yield from _finished(ahead)
            finally:
                for job in ahead:
                    job.cancel()

    def _tried(self, text: str, n: int, seed: int, reference: Image.Image | None) -> Drawn:
        try:
            drawn = self._draw(text, [_seed_of(text, place, seed) for place in range(n)], reference)
        except (InvalidRequestError, ModelUnavailableError) as error:
            return error
        if len(drawn) != n:
            return ModelUnavailableError(
                f"The image generator {self.id} gave {len(drawn)} pictures in place of {n}. {WAYS_OUT}"
            )
        return [picture.convert("RGB") for picture in drawn]


def _finished(ahead: dict[Future[Drawn], int]) -> Iterator[tuple[int, Drawn]]:
    """Wait for some of what is drawn, and take it out, in the order in which it was asked for."""
    done, _ = wait(ahead, return_when=FIRST_COMPLETED)
    for job in [job for job in ahead if job in done]:
        yield ahead.pop(job), job.result()


def _seed_of(description: str, place: int, seed: int) -> int:
    """31 bits, which every generator of random numbers takes."""
    return int(json_digest([seed, place, description])[:8], 16) >> 1
