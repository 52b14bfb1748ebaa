"""The rules: an edit grammar of English that imagines the target where no language model does.

Every part is pure Python over word lists: a caption is taken apart (``caption``), the modification is cut into clauses
(``split``) and read as typed edits (``edits``), these are applied (``apply``), and the result is put into words that
name only what is to be seen (``imagine``).
"""

from __future__ import annotations

from ipcir_tools.chains.imagination.rules.imagine import imagine_by_rules

__all__ = ["imagine_by_rules"]
