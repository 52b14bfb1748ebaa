"""Benchmarks by name, and how each is opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.evaluation.benchmarks import Benchmark


PUBLISHED = ("cirr", "circo", "fashioniq", "genecis")


@dataclass(frozen=True)
class Choice:
    """A benchmark as it was asked for."""

    name: str
    folder: Path | None = None
    pictures: Path | None = None
    split: str | None = None
    gallery: str = "original"
    captions: str = "joined"
    families: int = 86
    keeps_reference: bool = False

    def models(self, named: str | None) -> str | None:
        """The models to measure with: those that are named, and the demo's for the world that they know."""
        return named or ("demo" if self.name == "wardrobe" else None)

    @property
    def known(self) -> bool:
        """Whether it is one by name, not a file."""
        return self.name in ("wardrobe", *PUBLISHED)

    @property
    def slug(self) -> str:
        """A folder's name for it."""
        if not self.known:
            place = hashlib.sha256(str(Path(self.name).absolute()).encode()).hexdigest()[:8]
            return f"{Path(self.name).stem}-{place}"
        return f"{self.name}-{self.split}" if self.split else self.name

    def home(self, given: Path | None) -> Path:
        """The catalog's folder: the given one, else one of the benchmark's own."""
        from ipcir_tools.settings import load_settings

        return (given or load_settings().home / "eval" / self.slug).expanduser().absolute()

    def check(self) -> None:
        """Refuse what can never be loaded, before a model is. Raises InvalidRequestError."""
        if not self.known and not self.name.endswith((".jsonl", ".json", ".ndjson")):
            raise InvalidRequestError(
                f"There is no benchmark {self.name!r}: name wardrobe, {', '.join(PUBLISHED)}, or a .jsonl file."
            )
        if self.name in PUBLISHED and self.folder is None:
            raise InvalidRequestError(f"Name the folder with the annotation files of {self.name}: --folder FOLDER.")
        splits = {"wardrobe": ("test", "val"), "cirr": ("val", "test1"), "circo": ("val", "test")}.get(self.name, ())
        if self.split is not None and self.split not in splits:
            has = f"has the parts {', '.join(splits)}" if splits else "has one part alone"
            raise InvalidRequestError(f"{self.name} {has}: there is no {self.split!r}.")
        if self.gallery not in ("original", "VAL") or self.captions not in ("joined", "both orders"):
            raise InvalidRequestError("--gallery is original or VAL, and --captions is joined or 'both orders'.")

    def load(self, home: Path, progress: Progress) -> Benchmark:
        """The benchmark, its files checked; the wardrobe is drawn into ``home``."""
        from ipcir_tools.evaluation import benchmarks

        self.check()
        if self.name == "wardrobe":
            from ipcir_tools.demo.gallery import wardrobe_benchmark

            part = cast('Literal["test", "val"]', self.split or "test")
            return wardrobe_benchmark(home / "pictures", part, self.families, progress)
        if not self.known:
            return benchmarks.load_jsonl(Path(self.name), self.pictures, keeps_reference=self.keeps_reference)
        assert self.folder is not None
        given: dict[str, Any] = {"split": self.split} if self.split else {}
        match self.name:
            case "cirr":
                return benchmarks.load_cirr(self.folder, self.pictures, **given)
            case "circo":
                return benchmarks.load_circo(self.folder, self.pictures, **given)
            case "genecis":
                return benchmarks.load_genecis(self.folder, self.pictures)
        rules: dict[str, Any] = {"gallery": self.gallery, "captions": self.captions}
        return benchmarks.load_fashioniq(self.folder, self.pictures, **rules)
