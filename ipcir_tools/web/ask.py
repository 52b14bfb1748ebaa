"""What a person wants next, as the dialogue graph takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ipcir_tools.types import Where


@dataclass(frozen=True)
class Ask:
    """A request of one round; ``round`` names the open question that ``text`` answers."""

    text: str = ""
    turn: str | None = None
    references: tuple[dict[str, str], ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    where: Where | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Of :class:`SearchOptions`, without the filter."""
    round: str | None = None

    def as_message(self) -> dict[str, Any]:
        """The input of a new round."""
        from langchain_core.messages import HumanMessage

        given: dict[str, Any] = {"messages": [HumanMessage(self.text)], "turn": self.turn, "where": self.where}
        if self.references:
            given["reference"] = list(self.references)
        return given | {"liked": [*self.liked], "disliked": [*self.disliked]}

    def as_reply(self) -> Any:
        """The answer to a question."""
        if not self.references:
            return self.text
        return {"text": self.text, "reference": self.references[0]["reference"]}
