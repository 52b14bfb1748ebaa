"""Runs in a trace: a name, tags and metadata for work that is no Runnable of its own."""

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


def has_listeners(config: RunnableConfig | None) -> bool:
    """Whether callbacks of this config, of this context or of the whole process hear of runs under it.

    Where there are none, a function can be called as it is: a run takes a tenth of a millisecond.
    """
    return bool(get_callback_manager_for_config(ensure_config(config)).handlers)


@contextmanager
def trace_step(name: str, config: RunnableConfig | None = None, **metadata: Any) -> Iterator[RunnableConfig]:
    """A run of that name for as long as the block lasts, in the caller's own thread.

    Yields the config for calls inside the block; code that takes none, such as a model inside a captioner, finds it by
    itself. The run is tagged with its name and carries ``metadata``; it ends with the error that leaves the block.

    LangChain's ``trace_as_chain_group`` does not serve here: without LangSmith it drops the callbacks that it is given,
    its tags and metadata go to every child, and calls without a config do not become its children.
    """
    config = ensure_config(config)
    manager = get_callback_manager_for_config(config)
    if not manager.handlers:
        yield config
        return
    manager.add_tags([name], inherit=False)
    manager.add_metadata(metadata, inherit=False)
    run = manager.on_chain_start(None, metadata, name=name)
    child = patch_config(config, callbacks=run.get_child())
    token = var_child_runnable_config.set(child)
    try:
        yield child
    except BaseException as error:  # an interrupt, too: it is passed on
        run.on_chain_error(error)
        raise
    else:
        run.on_chain_end({})
    finally:
        var_child_runnable_config.reset(token)


def prompt_metadata(prompt: Prompt) -> dict[str, Any]:
    """The prompt's id, version and hash, for a trace."""
    return {"prompt_id": prompt.id, "prompt_version": prompt.version, "prompt_hash": prompt.hash}


def model_call_config(part: str, config: RunnableConfig | None, prompt: Prompt) -> RunnableConfig:
    """The config of a model call: how a trace names and tags it. ``part`` is imagine, rerank, ..."""
    named: RunnableConfig = {
        "run_name": f"{part}.model",
        "tags": [part, prompt.id],
        "metadata": prompt_metadata(prompt),
    }
    return merge_configs(config, named)
