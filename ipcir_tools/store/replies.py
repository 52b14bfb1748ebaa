"""The replies of models in a catalog: read, written, counted and deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, cast, delete, func, select

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.store.database import MIN_PREFIX, Database, put
from ipcir_tools.store.schema import replies
from ipcir_tools.store.unstored import wanted_later
from ipcir_tools.types import Reply


@dataclass(frozen=True)
class ReplyCount:
    """The replies of one kind by one model."""

    kind: str
    model: str
    replies: int
    bytes: int
    """Of their texts in UTF-8."""
    calls: int | None
    """Calls that they took; None where no reply has a number."""
    input_tokens: int
    output_tokens: int
    oldest: str | None
    """UTC time, ISO 8601; None where no reply has a time."""
    newest: str | None


class StoredReplies(Database):
    """The replies in a catalog, each under a content hash of its request."""

    def reply(self, key: str) -> Reply | None:
        """The reply under ``key``; None where there is none, or a damaged one, which is noted."""
        with self._read() as connection:
            row = connection.execute(select(replies).where(replies.c.key == key)).one_or_none()
        return None if row is None or not self._is_whole(replies, row, row.key) else _reply(row)

    @wanted_later
    def put_reply(self, key: str, reply: Reply) -> None:
        """Store a reply in place of an earlier one, which a caller replaces only where it cannot be used.

        Characters that no database stores, such as half a surrogate pair, become U+FFFD.
        """
        row = {name: _storable(value) for name, value in reply.model_dump().items()}
        with self._write() as connection:
            put(connection, replies, [{"key": key, **row}], replace=True)

    @wanted_later
    def forget_reply(self, key: str) -> None:
        """Delete the reply under ``key``, where there is one."""
        with self._write() as connection:
            connection.execute(delete(replies).where(replies.c.key == key))

    def replies(
        self, kind: str | None = None, limit: int = 20, *, model: str | None = None, prompt: str | None = None
    ) -> list[tuple[str, Reply]]:
        """The last replies with their keys, newest first; those without a time come last. ``model`` and ``prompt`` as
        in ``forget_replies``."""
        chosen = select(replies).where(*_conditions(kind, None, model, prompt))
        newest = chosen.order_by(replies.c.created.desc(), replies.c.key).limit(limit)
        with self._read() as connection:
            rows = connection.execute(newest).all()
        return [(row.key, _reply(row)) for row in rows if self._is_whole(replies, row, row.key)]

    def reply_prompts(self) -> list[str]:
        """The prompts that replies are stored of, as ``imagine.structured@1#HASH8``, sorted."""
        with self._read() as connection:
            found = connection.execute(select(replies.c.prompt).where(replies.c.prompt != "").distinct())
            return sorted(found.scalars())

    def find_reply(self, prefix: str) -> tuple[str, Reply]:
        """The reply with this key, or with the only key that begins so (4 characters at least), and its whole key.

        Raises NotFoundError, or InvalidRequestError where several begin so.
        """
        if (exact := self.reply(prefix := _storable(prefix))) is not None:
            return prefix, exact
        begins = (
            select(replies).where(replies.c.key.istartswith(prefix, autoescape=True)).order_by(replies.c.key).limit(2)
        )
        with self._read() as connection:
            found = connection.execute(begins).all() if len(prefix) >= MIN_PREFIX else []
        rows = [row for row in found if self._is_whole(replies, row, row.key)]
        if not rows:
            raise NotFoundError(
                f"There is no reply {prefix[:80]!r}: name one that `ipcir cache list` printed, by its key or its first "
                f"{MIN_PREFIX}+ characters."
            )
        if len(rows) > 1:
            several = f"{rows[0].key} and {rows[1].key}"
            raise InvalidRequestError(
                f"Several replies begin with {prefix}, {several} among them: give more of the key."
            )
        return rows[0].key, _reply(rows[0])

    def reply_counts(
        self,
        kind: str | None = None,
        older_than: datetime | None = None,
        *,
        model: str | None = None,
        prompt: str | None = None,
    ) -> list[ReplyCount]:
        """What is stored, by kind and model, in their order; chosen as in ``forget_replies``."""
        known = func.nullif(replies.c.created, "")
        with self._read() as connection:
            columns = (
                replies.c.kind,
                replies.c.model,
                func.count(),
                func.sum(_size(connection.dialect.name)),
                func.sum(replies.c.calls),
                func.sum(replies.c.input_tokens),
                func.sum(replies.c.output_tokens),
                func.min(known),
                func.max(known),
            )
            by = (replies.c.kind, replies.c.model)
            counts = select(*columns).where(*_conditions(kind, older_than, model, prompt)).group_by(*by).order_by(*by)
            return [ReplyCount(*row) for row in connection.execute(counts)]

    def forget_replies(
        self,
        kind: str | None = None,
        older_than: datetime | None = None,
        *,
        model: str | None = None,
        prompt: str | None = None,
    ) -> int:
        """Delete the replies that all arguments choose; without arguments, all replies. Returns their number.

        ``older_than`` is a moment with its time zone; a reply without a time is not older than anything. ``model`` is
        ``openai:NAME``, or NAME of any provider; ``prompt`` an id, ``ID@VERSION``, or one exact text, with its hash.
        """
        with self._write() as connection:
            chosen = delete(replies).where(*_conditions(kind, older_than, model, prompt))
            return connection.execute(chosen).rowcount


def _conditions(
    kind: str | None, older_than: datetime | None, model: str | None, prompt: str | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if kind is not None:
        conditions.append(replies.c.kind == kind)
    if older_than is not None:
        conditions += [replies.c.created < older_than.astimezone(UTC).isoformat(), replies.c.created != ""]
    if model is not None:
        end = _escaped(f":{model}")  # "8b" is no name of "openai:llama:8b"
        of_provider = replies.c.model.ilike(f"%{end}", escape="/") & replies.c.model.notilike(f"%:%{end}", escape="/")
        conditions.append((replies.c.model == model) | of_provider)
    if prompt is not None:
        of_id = replies.c.prompt.istartswith(f"{prompt}@", autoescape=True)
        of_version = replies.c.prompt.istartswith(f"{prompt}#", autoescape=True)
        conditions.append((replies.c.prompt == prompt) | of_id | of_version)
    return conditions


def _escaped(text: str) -> str:
    """The text as it stands in a LIKE pattern whose escape character is ``/``."""
    return re.sub(r"([/%_])", r"/\1", text)


def _size(dialect: str) -> ColumnElement[int]:
    """Bytes of a text; older SQLites know no ``octet_length``, and PostgreSQL reads escapes where it casts."""
    text = replies.c.text
    return func.octet_length(text) if dialect == "postgresql" else func.length(cast(text, LargeBinary))


def _reply(row: Row[Any]) -> Reply:
    return Reply(**{name: row._mapping[replies.c[name]] for name in Reply.model_fields})


def _storable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
