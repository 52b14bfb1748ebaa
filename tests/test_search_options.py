"""SearchOptions: one value for how to search, wherever a search starts."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from ipcir_tools.engine.validation import check_options, checked_query, default_options, refined_options
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.search_options import SearchKeywords, SearchOptions
from ipcir_tools.settings import Settings
from ipcir_tools.types import ComposedQuery, Where

GIVEN = SearchOptions(k=6, weight=0.25, where={"format": "png"}, composer="sum", verify=10, rerank=4)


def test_keywords_and_options_are_the_same_names_and_types():
    scope = {"Where": Where}
    keywords = typing.get_type_hints(SearchKeywords, localns=scope)
    assert keywords == typing.get_type_hints(SearchOptions, localns=scope)
    assert list(keywords) == [field.name for field in dataclasses.fields(SearchOptions)]
    assert SearchKeywords.__required_keys__ == frozenset()


def test_a_query_holds_every_option():
    assert set(vars(GIVEN)) < set(ComposedQuery.model_fields)
    query = checked_query("0123456789abcdef", "in blue", GIVEN)
    assert {name: getattr(query, name) for name in vars(GIVEN)} == vars(GIVEN)


def test_a_field_that_is_none_comes_from_the_defaults():
    assert SearchOptions(k=3, where={}).or_else(GIVEN) == dataclasses.replace(GIVEN, k=3, where={})
    assert GIVEN.or_else(SearchOptions(k=1, rerank=0)) == GIVEN
    assert GIVEN.updated(weight=0.5).weight == 0.5


def test_the_settings_give_the_defaults_of_a_new_search():
    chosen = {"k": 7, "weight": 0.3, "composer": "sum", "verify": 20, "rerank": 5}
    assert default_options(Settings(**chosen)) == SearchOptions(**chosen)


def test_a_refinement_inherits_all_but_what_sends_pictures_to_a_model():
    query = checked_query(None, "a red square", GIVEN)
    assert refined_options(query, Settings(rerank=2)) == GIVEN.updated(rerank=2)
    checked = checked_query(None, "a red square", GIVEN.updated(verify="llm:5"))
    assert refined_options(checked, Settings(verify=0)).verify == 0


def test_an_empty_filter_is_no_filter():
    assert checked_query(None, "a red square", SearchOptions(where={})).where is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"weight": 1.5}, "weight is 1.5"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"rerank": 21}, "rerank is 21"),
        ({"verify": 101}, "verify is '101'"),
        ({"verify": "llm:21"}, "verify is 'llm:21'"),
        ({"verify": "often"}, "it takes auto, off, a number"),
        ({"composer": "magic"}, "magic"),
        ({"where": {"colour": "red"}}, "colour"),
    ],
)
def test_every_option_is_checked_in_one_place(wrong, message):
    check_options(SearchOptions())
    with pytest.raises(InvalidRequestError, match=message):
        check_options(SearchOptions(**wrong))
