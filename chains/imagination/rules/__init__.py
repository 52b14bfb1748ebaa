"""The rules: an edit grammar of English that imagines the target without a language model.

Pure Python over word lists (``lexicon``). The caption is parsed into its parts (``caption``, ``phrases``); the
modification is normalised (``rewrites``, ``text``), split into clauses (``split``) and read as typed edits
(``edits``) by the patterns of ``grammar`` and ``view_patterns``, whose meanings are in ``predicates``, ``views``,
``things``, ``quantities``, ``replacements``, ``statements`` and ``scenes``; the edits are applied to a draft
(``actions``, ``attributes``, ``nouns``, ``counts``); and the draft becomes the imagined target (``imagine``,
``cleaning``), which names only visible things.
"""

from __future__ import annotations

from ipcir_tools.chains.imagination.rules.imagine import imagine_by_rules

__all__ = ["imagine_by_rules"]
