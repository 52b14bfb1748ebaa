"""The rules: an edit grammar of English that imagines the target without a language model.

Pure Python over word lists (``lexicon``). The caption is parsed into its parts (``caption``, ``phrases``); the
modification is normalised (``rewrites``, ``text``), split into clauses (``split``, ``additions``) and read as typed
edits (``edits``) by the patterns of ``grammar`` and ``view_patterns``, whose meanings are in ``predicates``, ``views``,
``things``, ``quantities``, ``replacements``, ``statements`` and ``scenes``; the edits are applied to a draft
(``actions``, ``attributes``, ``nouns``, ``counts``); and the draft becomes the imagined target (``imagine``,
``cleaning``), which names only visible things. What that lost of the description before is a warning (``losses``).
"""

from __future__ import annotations

from ipcir_tools.chains.imagination.rules.imagine import RulesResult, imagine_by_rules, imagine_with_warnings

__all__ = ["RulesResult", "imagine_by_rules", "imagine_with_warnings"]
