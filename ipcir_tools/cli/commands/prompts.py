"""``ipcir prompts``: list, show, render, try and compare the prompts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipcir_tools.cli.commands.compare import Folder, compare
from ipcir_tools.cli.options import AsJson, ManyRequestsOptions, print_result, with_options
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
    """List the package's prompts and your own, and the files that cannot be used."""
    known, faults = _load_all(_settings(prompts).prompts)
    from ipcir_tools.cli.output import prompts as printing_prompts

    print_result(
        as_json,
        lambda: {"prompts": [_facts(prompt) for prompt in known], "faults": faults},
        lambda: printing_prompts.show_prompts(known, faults),
    )


@prompts_app.command()
def show(id: Id, prompts: Folder = None, as_json: AsJson = False) -> None:
    """Print a prompt's file unchanged, to read or to copy; its tag goes to standard error."""
    folder = _settings(prompts).prompts
    prompt = _prompt(id, folder)
    text = _text(prompt, folder)

    def print_file() -> None:
        from ipcir_tools.cli.output import prompts as printing_prompts

        printing_prompts.show_tag(prompt)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    print_result(as_json, lambda: {**_facts(prompt), "schema": prompt.reply_schema, "text": text}, print_file)


@prompts_app.command()
def render(
    id: Id,
    caption: Annotated[str | None, typer.Option(help="The caption of the reference.")] = None,
    modification: Annotated[str | None, typer.Option(help="The change to the reference, in words.")] = None,
    history: Annotated[str | None, typer.Option(help="The turns before, for a prompt that uses them.")] = None,
    var: Annotated[list[str] | None, typer.Option(help="Any other variable, as NAME=VALUE; repeat it.")] = None,
    picture: Annotated[
        list[Path] | None, typer.Option(help="A picture file, in the order of the prompt's pictures; repeat it.")
    ] = None,
    prompts: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Print the messages that a model would be sent, with the values filled in."""
    settings = _settings(prompts)
    prompt = _prompt(id, settings.prompts)
    options = {"caption": caption, "modification": modification, "history": history}
    values = {name: value for name, value in options.items() if value is not None} | _variables(var or ())
    _check_values(prompt, values, picture or ())
    pictures = dict(zip(prompt.pictures, (_data_uri(path, settings) for path in picture or ()), strict=True))
    messages = prompt.render(pictures, **values)
    from ipcir_tools.cli.output import prompts as printing_prompts

    print_result(
        as_json,
        lambda: {
            "prompt": prompt.tag,
            "messages": [{"role": _ROLES[each.type], "content": each.content} for each in messages],
            "schema": prompt.reply_schema,
        },
        lambda: printing_prompts.show_messages([(_ROLES[each.type], each.content) for each in messages]),
    )


@prompts_app.command("try")
@with_options
def try_prompt(
    id: Id,
    words: Annotated[
        list[str],
        typer.Argument(
            help="A picture by id or file, and a modification; with --caption the modification alone.",
            metavar="[REFERENCE] MODIFICATION",
        ),
    ],
    options: ManyRequestsOptions,
    caption: Annotated[
        str | None, typer.Option(help="The caption of the reference; then no gallery, picture or captioner is needed.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many times to call the model.", min=1, max=50)] = 1,
    prompts: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Imagine one target with a prompt; show the result and its cost. Replies are neither reused nor stored."""
    if len(words) > 2:
        raise InvalidRequestError(
            f"{len(words)} texts are too many: give a reference and a modification, each in quotes."
        )
    reference, modification = (words[0], words[1]) if words[1:] else (None, words[0])
    settings = options.settings(prompts=prompts)
    prompt = _prompt(id, settings.prompts)
    from ipcir_tools.cli.commands import prompt_trial

    request = prompt_trial.trial_request(prompt, reference, modification, caption, options)
    trials = prompt_trial.try_prompt(request, settings.model_copy(update={"prompt": id}), n)
    by_rules = all(each.target.origin == "rules" for each in trials)
    from ipcir_tools.cli.output import prompts as printing_prompts

    document = {
        "prompt": None if by_rules else prompt.tag,
        "llm": settings.llm,
        "reference": request.reference,
        "caption": request.caption,
        "modification": request.modification,
        "note": prompt_trial.NOT_USED if by_rules else "",
        "tries": [prompt_trial.trial_json(each) for each in trials],
    }
    print_result(as_json, lambda: document, lambda: printing_prompts.show_tries(document))


prompts_app.command("compare")(compare)

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


# --- prompts by id


def _settings(prompts: Path | None) -> Settings:
    from ipcir_tools.settings import load_settings

    return load_settings(prompts=prompts)


def _prompt(id: str, folder: Path | None) -> Prompt:
    from ipcir_tools.prompts import load_prompt

    return load_prompt(id, folder)


def _load_all(folder: Path | None) -> tuple[list[Prompt], list[dict[str, str]]]:
    """Every usable prompt, and the faults of the other files."""
    from ipcir_tools.prompts import load_prompt, prompt_ids

    known: list[Prompt] = []
    faults: list[dict[str, str]] = []
    for id in prompt_ids(folder):
        try:
            known.append(_checked(load_prompt(id, folder)))
        except IPCIRError as error:
            faults.append({"id": id, "fault": str(error)})
    return known, faults


def _checked(prompt: Prompt) -> Prompt:
    """The prompt. Raises InvalidRequestError for a user's own imagination prompt that asks for no description."""
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
        "reply": "text" if prompt.reply_schema is None else "json",
        "purpose": prompt.purpose,
    }


# --- values for a prompt


def _variables(given: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if wrong := [name for name, sign, _ in pairs if not sign or not name]:
        raise InvalidRequestError(f"--var {wrong[0][:60]!r} has no value: write it as --var NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _check_values(prompt: Prompt, values: Mapping[str, str], pictures: Sequence[Path]) -> None:
    """Raise InvalidRequestError for a missing or an extra value, named as its option."""
    missing = [_option(name) for name in prompt.variables if name not in values]
    missing += [f"--picture FILE ({name})" for name in prompt.pictures[len(pictures) :]]
    if missing:
        raise InvalidRequestError(f"Prompt {prompt.id} needs more values: give {', '.join(missing)}.")
    extra = [name for name in values if name not in prompt.variables]
    extra += [f"--picture {path}" for path in pictures[len(prompt.pictures) :]]
    if extra:
        takes = ", ".join([*prompt.variables, *(f"the picture {name}" for name in prompt.pictures)]) or "nothing"
        raise InvalidRequestError(f"Prompt {prompt.id} takes {takes}: leave out {', '.join(extra)}.")


def _option(name: str) -> str:
    return f"--{name} TEXT" if name in ("caption", "modification", "history") else f"--var {name}=VALUE"


def _data_uri(path: Path, settings: Settings) -> str:
    """A picture file as the data URI that a model is sent."""
    from ipcir_tools.cli.commands.prompt_trial import opened_image
    from ipcir_tools.images.thumbnails import image_uri
    from ipcir_tools.prompts.limits import REFERENCE_SIDE

    return image_uri(opened_image(str(path), settings), REFERENCE_SIDE)
