"""``ipcir demo``: the wardrobe, drawn, searched and measured."""

from __future__ import annotations

from ipcir_tools.cli.options import AsJson, Count, ModelOptions, engine_for, print_result, with_options
from ipcir_tools.errors import SpaceMismatchError


@with_options
def demo(
    options: ModelOptions,
    k: Count = None,
    as_json: AsJson = False,
) -> None:
    """Draw a gallery, play a three-turn dialogue and measure what the imagination adds, offline.

    Pictures and catalog are in --home (default: ~/.ipcir/demo).
    """
    folder = (options.home or options.settings().home / "demo").expanduser().absolute()
    with engine_for(options, home=folder, models=options.models or "demo", k=k) as (engine, progress):
        from ipcir_tools.cli.output import evaluation
        from ipcir_tools.demo.play import demo_json, play

        try:
            result = play(engine, folder, progress)
        except SpaceMismatchError as error:
            text = f"The demo in {folder} was made with other models: delete that folder, or name another --home."
            raise SpaceMismatchError(text) from error
    print_result(as_json, lambda: demo_json(result), lambda: evaluation.show_demo(result, folder))
