"""Loading a model of open_clip: known tags, weights, preprocessing, tokenizer."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.devices import DType
from ipcir_tools.models.downloads import Needed, Requirements, local_copy
from ipcir_tools.models.hub_files import open_clip_files, small_files

if TYPE_CHECKING:
    from ipcir_tools.models.open_clip_creation import LoadedEncoder


WAYS_OUT = (
    "Download it where there is a network (ipcir models --get), or use --encoder open_clip:local-dir:FOLDER; "
    "or use --models demo, which needs no download."
)
REPOS = {"ViT-B-32/laion2b_s34b_b79k": "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}
"""The default model's repository, as in open_clip's own list, which takes seconds to import."""

RANDOM = "random"


@dataclass(frozen=True)
class ModelSource:
    """The source of the weights: the part of an encoder's name after ``open_clip:``."""

    kind: Literal["tag", "hf-hub", "local-dir", "random"]
    model: str
    """Model, repository or path."""
    tag: str = ""

    @classmethod
    def parse(cls, name: str) -> ModelSource:
        """``MODEL/PRETRAINED``, ``MODEL/random``, ``hf-hub:ORG/NAME`` or ``local-dir:PATH``; the registry checks the
        form.
        """
        if name.startswith("local-dir:"):
            return cls("local-dir", name.removeprefix("local-dir:"))
        if name.startswith("hf-hub:"):
            return cls("hf-hub", name.removeprefix("hf-hub:"))
        model, _, tag = name.partition("/")
        return cls("random" if tag == RANDOM else "tag", model, tag)

    @property
    def folder(self) -> Path:
        """The folder of a local model."""
        return Path(self.model).expanduser().resolve()


def load_model(name: str, identity: str, source: ModelSource, device: str, dtype: DType | None) -> LoadedEncoder:
    """The model of that source; ``dtype`` None: the one that a test on this machine chooses. Raises
    ModelUnavailableError.
    """
    known = _known_tag(source) if source.kind == "tag" else {}
    if source.kind == "random":
        _require_architecture(source.model)
    return hub.fetch(
        f"open_clip:{name}",
        lambda: _create(identity, source, device, dtype, bool(known.get("quick_gelu"))),
        ways_out=WAYS_OUT if source.kind in ("tag", "hf-hub") else "",
        requirements=requirements(source),
    )


def weights_file(source: ModelSource) -> Path | None:
    """The safetensors file of a model that is on this machine; None where there is none, or no telling which."""
    if source.kind == "random":
        return None
    needed = requirements(source)
    here = local_copy(needed) if needed else None
    folder = here.folder if here else source.folder if source.kind == "local-dir" else None
    files = {path.name: path for path in folder.glob("*.safetensors")} if folder else {}
    return files.get("open_clip_model.safetensors") or next(iter(files.values()), None)


def requirements(source: ModelSource) -> Requirements | None:
    """What the model needs of the hub: weights, configuration, tokenizer; None for a folder and for random weights.

    Raises ModelUnavailableError for a tag that is unknown.
    """
    if source.kind in ("local-dir", "random"):
        return None
    if source.kind == "hf-hub":
        return lambda read: [
            Needed(source.model, open_clip_files("", "open_clip_config.json")),
            *_text_needed(read(source.model, "open_clip_config.json").get("model_cfg", {}).get("text_cfg", {})),
        ]
    place = REPOS.get(f"{source.model}/{source.tag}", "") + "/"
    text: dict[str, Any] = {}
    if place == "/":
        import open_clip

        place = _known_tag(source).get("hf_hub", "")
        text = open_clip.get_model_config(source.model)["text_cfg"]
    repo, _, file = place.rpartition("/")
    if not repo:
        raise ModelUnavailableError(f"The weights {source.tag!r} of {source.model} are not on the Hugging Face hub.")
    return lambda read: [Needed(repo, open_clip_files(file)), *_text_needed(text)]


def _text_needed(text: Mapping[str, Any]) -> list[Needed]:
    """The repositories of a tokenizer and of a text model that are not open_clip's own."""
    tokenizer, model = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    return [
        *([Needed(tokenizer, small_files)] if tokenizer else []),
        *([Needed(model, lambda names: ["config.json"])] if model else []),
    ]


def _known_tag(source: ModelSource) -> dict[str, Any]:
    """open_clip's entry for the tag; unknown models and tags are refused before any download."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(source.model)
    if not tags:
        models = sorted({model for model, _ in open_clip.list_pretrained()})
        raise ModelUnavailableError(
            f"open_clip has no weights for a model {source.model!r}{_near(source.model, models)}."
        )
    if source.tag not in tags:
        raise ModelUnavailableError(
            f"open_clip has no weights {source.tag!r} for {source.model}{_near(source.tag, tags)}."
        )
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(source.model, source.tag)
    return entry


def _require_architecture(model: str) -> None:
    import open_clip

    if model not in (models := open_clip.list_models()):
        raise ModelUnavailableError(f"open_clip has no model {model!r}{_near(model, models)}.")


def _near(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=5, cutoff=0.5) or list(choices)[:8]
    return f"; there is {', '.join(close)}"


def _create(identity: str, source: ModelSource, device: str, dtype: DType | None, quick_gelu: bool) -> LoadedEncoder:
    from ipcir_tools.models.light_text import learn
    from ipcir_tools.models.open_clip_creation import ModelMaker, create

    location = {"hf-hub": f"hf-hub:{source.model}", "local-dir": f"local-dir:{source.folder}"}.get(
        source.kind, source.model
    )
    tag = None if source.kind == "random" else source.tag
    loaded = create(identity, ModelMaker(location, tag, device, quick_gelu, random=source.kind == "random"), dtype)
    learn(identity, loaded, weights_file(source))
    return loaded
