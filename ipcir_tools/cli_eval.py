"""``ipcir eval``: benchmarks on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from ipcir_tools.cli_shared import LLM, AsJson, CaptionerName, EncoderName, Home, Models, engine_for, print_result

eval_app = typer.Typer(
    help="Measure on benchmarks.", no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)


@eval_app.command("wardrobe-dialogues")
def wardrobe_dialogues(
    dialogues: Annotated[int, typer.Option(min=1, max=2000, help="How many dialogues, of two to five rounds.")] = 200,
    home: Home = None,
    models: Models = None,
    encoder: EncoderName = None,
    captioner: CaptionerName = None,
    llm: LLM = None,
    as_json: AsJson = False,
) -> None:
    """Play the wardrobe's held-out dialogues with a simulated user: Hits@1 and Hits@10 after each round."""
    from ipcir_tools.settings import load_settings

    # a gallery of its own: others' pictures would be distractors, and these would be strangers among others'
    folder = ((home or load_settings().home) / f"wardrobe-dialogues-{dialogues}").expanduser().absolute()
    chosen = {
        "home": folder, "models": models or "demo", "encoder": encoder, "captioner": captioner, "llm": llm,
    }  # fmt: skip
    with engine_for(**chosen) as (engine, progress):
        from ipcir_tools import printing
        from ipcir_tools.demo.dialogues import play_dialogues
        from ipcir_tools.evaluation.dialogues import report_json

        report = play_dialogues(engine, folder, progress, dialogues)
    print_result(as_json, lambda: report_json(report), lambda: printing.show_dialogues(report))
