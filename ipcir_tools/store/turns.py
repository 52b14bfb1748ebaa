"""The turns in a catalog: stored once, found by id, followed to their root."""

from __future__ import annotations

from sqlalchemy import bindparam, literal, select

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.store.database import MIN_PREFIX, MissingRowError, beginning_with
from ipcir_tools.store.schema import turns as turn_rows
from ipcir_tools.store.waiting import WaitingRows
from ipcir_tools.types import Turn


class StoredTurns(WaitingRows):
    """The turns in a catalog; immutable, each naming its parent."""

    def put_turn(self, turn: Turn, conversation: str | None = None) -> None:
        """Store a turn, as one of a ``conversation`` where there is one.

        Raises CatalogError if another one has its id, NotFoundError if its parent is missing.
        """
        body = turn.model_dump_json()
        row = {"id": turn.id, "parent": turn.parent, "created": turn.created, "body": body}
        row["conversation"] = conversation
        try:
            stored = self._insert_now([(turn_rows, [row])])[0] == 1
        except MissingRowError as error:  # the one thing that a turn refers to is its parent
            raise NotFoundError(f"There is no turn {turn.parent} to continue from.") from error
        if not stored and self._body(turn.id) != body:
            raise CatalogError(
                f"Turn {turn.id} exists already and turns are never changed: give the new one its own id."
            )

    def turn(self, id: str) -> Turn:
        """The turn with this id, or with the only id that begins so (4 characters at least).

        Raises NotFoundError, or InvalidRequestError where several begin so.
        """
        body = self._body(id)
        return Turn.model_validate_json(self._only_beginning(id) if body is None else body)

    def _body(self, id: str) -> str | None:
        rows = self._glanced(_BODY, {"name": id})
        return str(rows[0].body) if rows else None

    def _only_beginning(self, id: str) -> str:
        """The body of the only turn whose id begins so."""
        begins = beginning_with(turn_rows.c.id, id)
        with self._read() as connection:
            found = connection.execute(select(turn_rows.c.id, turn_rows.c.body).where(begins).limit(2))
            rows = found.all() if len(id) >= MIN_PREFIX else []
        if len(rows) == 1:
            return str(rows[0].body)
        if rows:
            raise InvalidRequestError(
                f"Several turns begin with {id}, {rows[0].id} and {rows[1].id} among them: give more of the id."
            )
        raise NotFoundError(
            f"There is no turn {id!r}: name one that a search printed, by its id or its first {MIN_PREFIX}+ characters."
        )

    def turns(self, limit: int = 20, conversation: str | None = None) -> list[Turn]:
        """The last turns, newest first; of one conversation, or of all."""
        newest = select(turn_rows.c.body).order_by(turn_rows.c.created.desc(), turn_rows.c.serial.desc()).limit(limit)
        if conversation is not None:
            newest = newest.where(turn_rows.c.conversation == conversation)
        with self._read() as connection:
            return [Turn.model_validate_json(body) for body in connection.scalars(newest)]

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to this one, by one statement for a whole id. Raises as ``turn`` does."""
        bodies = [row.body for row in self._glanced(_PATH, {"name": id})]
        if not bodies:
            whole = self.turn(id)
            return [whole] if whole.parent is None else [*self.path(whole.parent), whole]
        return [Turn.model_validate_json(body) for body in bodies]


_BODY = select(turn_rows.c.body).where(turn_rows.c.id == bindparam("name"))
_STEPS = (
    select(turn_rows.c.parent, turn_rows.c.body, literal(0).label("back"))
    .where(turn_rows.c.id == bindparam("name"))
    .cte(recursive=True)
)
_STEPS = _STEPS.union_all(
    select(turn_rows.c.parent, turn_rows.c.body, _STEPS.c.back + 1).where(turn_rows.c.id == _STEPS.c.parent)
)
_PATH = select(_STEPS.c.body).order_by(_STEPS.c.back.desc())
