"""The prompts, one checked ``.md`` file each: ``load_prompt("imagine.structured")`` reads one."""

from __future__ import annotations

from ipcir_tools.prompts.loading import load_prompt, parse_prompt, prompt_ids
from ipcir_tools.prompts.prompt import Prompt

__all__ = ["Prompt", "load_prompt", "parse_prompt", "prompt_ids"]
