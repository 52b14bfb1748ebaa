"""The image generator's interface: descriptions in, images out, for the image proxies of IP-CIR.

::

    image_generator = load_image_generator("diffusers:stabilityai/sd-turbo", settings)
    for index, images in image_generator.drawings(["a blue dress with long sleeves"], n=4): ...
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
"""The images of one description, or the error in their place."""


class ImageGenerator(ABC):
    """Makes images of descriptions. A subclass draws one description; order, seeds and checks are here.

    ``id`` identifies all that decides an image but its description and seed. ``edits``: whether references are used;
    an image generator without it is given none. ``concurrency`` descriptions are drawn at a time.
    """

    id: str
    edits: bool = False
    concurrency: int = 1

    @abstractmethod
    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        """One image for each of ``seeds``.

        Raises InvalidRequestError for a description that cannot be drawn, ModelUnavailableError where none can be.
        """

    def drawings(
        self,
        descriptions: Sequence[str],
        n: int = 1,
        references: Sequence[Image.Image] | None = None,
        *,
        seed: int = 0,
    ) -> Generator[tuple[int, Drawn]]:
        """``n`` RGB images of each description, with the description's index, as soon as they are made.

        A description that was not drawn gives its error instead, and the others go on; when the caller stops
        iterating, no more are drawn. An image depends on its description, its place among the ``n`` and the seed (where
        the model takes one), never on what else is drawn. Raises InvalidRequestError for n < 1.
        """
        if n < 1:
            raise InvalidRequestError(f"n must be at least 1, not {n}.")
        given = references if references is not None and self.edits else [None] * len(descriptions)
        with ThreadPoolExecutor(self.concurrency, "ipcir-draw") as pool:
            pending: dict[Future[Drawn], int] = {}
            try:
                for place, (text, reference) in enumerate(zip(descriptions, given, strict=True)):
                    pending[pool.submit(self._attempt, text, n, seed, reference)] = place
                    if len(pending) > 2 * self.concurrency:  # no more images than that wait in memory
                        yield from _finished(pending)
                while pending:
                    yield from _finished(pending)
            finally:
                for job in pending:
                    job.cancel()

    def _attempt(self, text: str, n: int, seed: int, reference: Image.Image | None) -> Drawn:
        try:
            drawn = self._draw(text, [_seed_of(text, place, seed) for place in range(n)], reference)
        except (InvalidRequestError, ModelUnavailableError) as error:
            return error
        if len(drawn) != n:
            return ModelUnavailableError(
                f"The image generator {self.id} gave {len(drawn)} images in place of {n}. {WAYS_OUT}"
            )
        return [picture.convert("RGB") for picture in drawn]


def _finished(pending: dict[Future[Drawn], int]) -> Iterator[tuple[int, Drawn]]:
    """Wait for the next images, and give them out in the order of the descriptions."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for job in [job for job in pending if job in done]:
        yield pending.pop(job), job.result()


def _seed_of(description: str, place: int, seed: int) -> int:
    """31 bits, which every random number generator takes."""
    return int(json_digest([seed, place, description])[:8], 16) >> 1
