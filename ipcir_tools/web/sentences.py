"""What is wrong with a field, in a plain sentence that begins with the field's label on the page."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

_BY_KIND = {
    "greater_than_equal": "must be {ge:,.10g} or more",
    "less_than_equal": "must be {le:,.10g} or less",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "string_type": "must be a text",
    "string_too_long": "may have {max_length:,} characters at most",
    "too_long": "may be {max_length:,} at most",
    "string_pattern_mismatch": "must be named by an id, as the page does",
    "bool_parsing": "must be yes or no",
    "bool_type": "must be yes or no",
    "missing": "is missing",
}
"""What is said of a kind of error, from the values in its context."""


def sentence_of(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first of the errors of a body of this kind."""
    first = error.errors()[0]
    loc, context = first["loc"], first.get("ctx", {})
    if not loc:
        return "The request cannot be read: reload the page."
    if first["type"] == "extra_forbidden":
        return f"There is no field {str(loc[-1])[:40]!r}: reload the page."
    if first["type"] == "value_error":
        return f"{_label(loc, kind)}: {context['error']}."
    return f"{_label(loc, kind)} {_said(first['type'], context)}."


def _said(type_: str, context: dict[str, Any]) -> str:
    return _BY_KIND.get(type_, "cannot be read").format_map(context)


def _label(loc: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    """The label of the innermost field that has one."""
    label = ""
    fields = kind.model_fields
    for part in loc:
        field = fields.get(str(part))
        if field is None:
            continue
        label = field.title or label or str(part)
        fields = next((each.model_fields for each in _models(field.annotation)), fields)
    return label or str(loc[0])


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The bodies within an annotation, such as that of ``tuple[ReferenceBody, ...]``."""
    inner = getattr(annotation, "__args__", (annotation,))
    return [each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)]
