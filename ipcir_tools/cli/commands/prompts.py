"""``ipcir prompts``: the workbench for the prompts behind an imagination."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.commands.compare import Folder, compare
from ipcir_tools.cli.options import LLM, AsJson, CaptionerName, EncoderName, Home, Models, print_result
from ipcir_tools.errors import InvalidRequestError, IPCIRError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipcir_tools.prompts import Prompt
    from ipcir_tools.settings import Settings


prompts_app = typer.Typer(
    help="Look at the prompts, try them, and compare them on a benchmark.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(help="A prompt's id, as `ipcir prompts list` shows it.", metavar="ID")]


@prompts_app.command("list")
def list_prompts(prompts: Folder = None, as_json: AsJson = False) -> None:
    """List the prompts, the package's and your own; a file with a fault is named with what is wrong."""
    known, faults = _known(_settings(prompts).prompts)
    from ipcir_tools.cli.output import prompts as printing_prompts

    print_result(
        as_json,
        lambda: {"prompts": [_facts(prompt) for prompt in known], "faults": faults},
        lambda: printing_prompts.show_prompts(known, faults),
    )


@prompts_app.command()
def show(id: Id, prompts: Folder = None, as_json: AsJson = False) -> None:
    """Print a prompt's file as it is, to read or to start an own one from; its tag goes to standard error."""
    folder = _settings(prompts).prompts
    prompt = _prompt(id, folder)
    text = _text(prompt, folder)

    def shown() -> None:
        from ipcir_tools.cli.output import prompts as printing_prompts

        printing_prompts.show_tag(prompt)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    print_result(as_json, lambda: {**_facts(prompt), "schema": prompt.schema_of_reply, "text": text}, shown)


@prompts_app.command()
def render(
    id: Id,
    caption: Annotated[str | None, typer.Option(help="The reference picture in words.")] = None,
    modification: Annotated[str | None, typer.Option(help="What should be different.")] = None,
    history: Annotated[str | None, typer.Option(help="The turns before, for a prompt that takes them.")] = None,
    var: Annotated[list[str] | None, typer.Option(help="Any other variable, as NAME=VALUE; repeat it.")] = None,
    picture: Annotated[
        list[Path] | None, typer.Option(help="A picture file, in the order of the prompt's pictures; repeat it.")
    ] = None,
    prompts: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Print the messages as they go to a model, with the values filled in."""
    settings = _settings(prompts)
    prompt = _prompt(id, settings.prompts)
    named = {"caption": caption, "modification": modification, "history": history}
    values = {name: value for name, value in named.items() if value is not None} | _variables(var or ())
    _check(prompt, values, picture or ())
    shown = dict(zip(prompt.pictures, (_uri(path, settings) for path in picture or ()), strict=True))
    messages = prompt.render(shown, **values)
    from ipcir_tools.cli.output import prompts as printing_prompts

    print_result(
        as_json,
        lambda: {
            "prompt": prompt.tag,
            "messages": [{"role": _ROLES[each.type], "content": each.content} for each in messages],
            "schema": prompt.schema_of_reply,
        },
        lambda: printing_prompts.show_messages([(_ROLES[each.type], each.content) for each in messages]),
    )


@prompts_app.command("try")
def try_prompt(
    id: Id,
    words: Annotated[
        list[str],
        typer.Argument(
            help="A picture, by id or file, and what should be different; with --caption the latter alone.",
            metavar="[REFERENCE] MODIFICATION",
        ),
    ],
    caption: Annotated[
        str | None, typer.Option(help="The reference in words; then no gallery, picture or captioner is needed.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How often the model is asked, each time anew.", min=1, max=50)] = 1,
    llm: LLM = None,
    prompts: Folder = None,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    as_json: AsJson = False,
) -> None:
    """Imagine one target by a prompt, and show what came and what it took. No kept reply is used, and none is kept."""
    if len(words) > 2:
        raise InvalidRequestError(
            f"{len(words)} texts are too many: give a reference and a modification, each in quotes."
        )
    reference, modification = (words[0], words[1]) if words[1:] else (None, words[0])
    chosen: dict[str, Any] = {"prompts": prompts, "llm": llm, "home": home, "models": models}
    chosen |= {"encoder": encoder, "captioner": captioner}
    settings = _settings(**chosen)
    prompt = _prompt(id, settings.prompts)
    from ipcir_tools.cli.commands import prompt_trial

    request = prompt_trial.trial_request(prompt, reference, modification, caption, chosen)
    tries = prompt_trial.tries(request, settings.model_copy(update={"prompt": id}), n)
    by_rules = all(each.imagination.target.origin == "rules" for each in tries)
    from ipcir_tools.cli.output import prompts as printing_prompts

    document = {
        "prompt": None if by_rules else prompt.tag,
        "llm": settings.llm,
        "reference": request.reference,
        "caption": request.caption,
        "modification": request.modification,
        "note": prompt_trial.NOT_USED if by_rules else "",
        "tries": [each.as_json() for each in tries],
    }
    print_result(as_json, lambda: document, lambda: printing_prompts.show_tries(document))


prompts_app.command("compare")(compare)

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


# --- prompts by id


def _settings(prompts: Path | None, **chosen: Any) -> Settings:
    from ipcir_tools.settings import load_settings

    return load_settings(prompts=prompts, **chosen)


def _prompt(id: str, folder: Path | None) -> Prompt:
    from ipcir_tools.prompts import load_prompt

    return load_prompt(id, folder)


def _known(folder: Path | None) -> tuple[list[Prompt], list[dict[str, str]]]:
    """Every prompt that can be used, and what is wrong with the files of the others."""
    from ipcir_tools.prompts import load_prompt, prompt_ids

    known: list[Prompt] = []
    faults: list[dict[str, str]] = []
    for id in prompt_ids(folder):
        try:
            known.append(_described(load_prompt(id, folder)))
        except IPCIRError as error:
            faults.append({"id": id, "fault": str(error)})
    return known, faults


def _described(prompt: Prompt) -> Prompt:
    """The prompt, if an own one to imagine with asks for a description. Raises ``InvalidRequestError``."""
    if prompt.own and (prompt.id == "refine" or prompt.id.startswith("imagine.")):
        from ipcir_tools.chains.imagination.prompting import check_reply

        return check_reply(prompt)
    return prompt


def _text(prompt: Prompt, folder: Path | None) -> str:
    from importlib.resources import files

    name = f"{prompt.id}.md"
    if prompt.own and folder is not None:
        return (folder.expanduser() / name).read_text(encoding="utf-8-sig")
    return files("ipcir_tools.prompts").joinpath(name).read_text(encoding="utf-8")


def _facts(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "version": prompt.version,
        "hash": prompt.hash,
        "tag": prompt.tag,
        "own": prompt.own,
        "variables": prompt.variables,
        "pictures": list(prompt.pictures),
        "reply": "text" if prompt.schema_of_reply is None else "json",
        "purpose": prompt.purpose,
    }


# --- values for a prompt


def _variables(given: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if wrong := [name for name, sign, _ in pairs if not sign or not name]:
        raise InvalidRequestError(f"--var {wrong[0][:60]!r} has no value: write it as --var NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _check(prompt: Prompt, values: Mapping[str, str], pictures: Sequence[Path]) -> None:
    """Refuse what is missing or too much, by the names of the options. Raises InvalidRequestError."""
    missing = [_option(name) for name in prompt.variables if name not in values]
    missing += [f"--picture FILE ({name})" for name in prompt.pictures[len(pictures) :]]
    if missing:
        raise InvalidRequestError(f"Prompt {prompt.id} wants more values: give {', '.join(missing)}.")
    extra = [name for name in values if name not in prompt.variables]
    extra += [f"--picture {path}" for path in pictures[len(prompt.pictures) :]]
    if extra:
        takes = ", ".join([*prompt.variables, *(f"the picture {name}" for name in prompt.pictures)]) or "nothing"
        raise InvalidRequestError(f"Prompt {prompt.id} takes {takes}: leave out {', '.join(extra)}.")


def _option(name: str) -> str:
    return f"--{name} TEXT" if name in ("caption", "modification", "history") else f"--var {name}=VALUE"


def _uri(path: Path, settings: Settings) -> str:
    """A picture file as a model gets it."""
    from ipcir_tools.chains.imagination.prompting import SIDE
    from ipcir_tools.cli.commands.prompt_trial import opened_image
    from ipcir_tools.images.thumbnails import image_uri

    return image_uri(opened_image(str(path), settings), SIDE)
