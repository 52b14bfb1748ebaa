"""Steps that a trace shows: a name, tags and metadata for what is done between two chains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    ensure_config,
    get_callback_manager_for_config,
    merge_configs,
    patch_config,
    var_child_runnable_config,
)

from ipcir_tools.prompts import Prompt


@contextmanager
def step(name: str, config: RunnableConfig | None = None, **about: Any) -> Iterator[RunnableConfig]:
    """A run of that name for as long as the block lasts, in the caller's own thread.

    It gives the config for what the block calls; what takes none, such as a model inside a captioner, finds it by
    itself. The run is tagged with its name and has ``about`` as its metadata; it ends with the error that leaves the
    block.
    """
    config = ensure_config(config)
    manager = get_callback_manager_for_config(config)
    if not manager.handlers:  # nobody looks
        yield config
        return
    manager.add_tags([name], inherit=False)
    manager.add_metadata(about, inherit=False)
    run = manager.on_chain_start(None, about, name=name)
    child = patch_config(config, callbacks=run.get_child())
    token = var_child_runnable_config.set(child)
    try:
        yield child
    except BaseException as error:
        run.on_chain_error(error)
        raise
    else:
        run.on_chain_end({})
    finally:
        var_child_runnable_config.reset(token)


def of_prompt(prompt: Prompt) -> dict[str, Any]:
    """What a trace says of the prompt."""
    return {"prompt_id": prompt.id, "prompt_version": prompt.version, "prompt_hash": prompt.hash}


def asked_by(part: str, config: RunnableConfig | None, prompt: Prompt) -> RunnableConfig:
    """The config under which a part asks its model: how the call is named and tagged in a trace."""
    named: RunnableConfig = {
        "run_name": f"{part}.model",
        "tags": [part, prompt.id],
        "metadata": of_prompt(prompt),
    }
    return merge_configs(config, named)
