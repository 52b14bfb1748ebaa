"""Whatever stands in a file of queries or annotations: a benchmark, or one typed error on one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hostile_texts import JSON_VALUES, PIECES, hostile, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks import load_captions
from ipcir_tools.evaluation.benchmarks.circo import load_circo
from ipcir_tools.evaluation.benchmarks.cirr import load_cirr
from ipcir_tools.evaluation.benchmarks.fashioniq import load_fashioniq
from ipcir_tools.evaluation.benchmarks.jsonl import load_jsonl
from ipcir_tools.evaluation.benchmarks.query_lines import read_queries
from ipcir_tools.prompts.loading import parse_prompt

seeded = settings(derandomize=True, max_examples=150)

QUERY = {
    "reference": ["a", {"reference": "b", "note": "its collar"}], "modification": "in blue", "targets": ["c"],
    "id": 1, "negatives": ["d"], "wordings": ["blue"], "kinds": ["add"], "note": "all of it",
}  # fmt: skip
ENTRY = {"id": "a", "captions": ["a red dress"]}
MEMBERS = [f"dev-{i}" for i in range(6)]
CIRR = {
    "pairid": 1,
    "reference": "dev-0",
    "caption": "in blue",
    "target_hard": "dev-1",
    "img_set": {"members": MEMBERS},
}
CIRCO = {"id": 1, "reference_img_id": 1, "relative_caption": "in blue", "target_img_id": 2, "gt_img_ids": [2]}
IQ = {"candidate": "A", "target": "B", "captions": ["in blue", "shorter"]}
PROMPT = """---
id: own
version: 1
purpose: imagine
variables: {caption: 100}
reply: text
---
## user
<caption>{caption}</caption>
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def outcome(load: Callable[[], Any]) -> None:
    """A result, or a typed error on one line."""
    refused: Exception | None = None
    try:
        load()
    except (InvalidRequestError, NotFoundError) as error:
        refused = error
    assert refused is None or (str(refused) and "\n" not in str(refused))


@seeded
@given(st.lists(hostile(QUERY) | PIECES | st.text(max_size=20), min_size=1, max_size=3))
def test_lines_of_queries(lines):
    with TemporaryDirectory() as folder:
        path = write(Path(folder), "queries.jsonl", "\n".join(lines))

        def load() -> None:
            queries, bad = read_queries(path, "abcd", "no such picture")
            assert all(query.modification and query.targets for query in queries)
            assert all("\n" not in why for why in bad)

        outcome(load)
        outcome(lambda: load_jsonl(path))


@seeded
@given(st.lists(hostile(ENTRY) | PIECES, min_size=1, max_size=3), st.lists(hostile(QUERY), max_size=2))
def test_lines_of_captions(entries, queries):
    with TemporaryDirectory() as folder:
        gallery = write(Path(folder), "gallery.jsonl", "\n".join([*entries, json.dumps(ENTRY)]))
        outcome(lambda: load_captions(gallery, write(Path(folder), "queries.jsonl", "\n".join(queries))))


ANNOTATIONS: dict[str, tuple[dict[str, str], str, Any, Callable[[Path], Any]]] = {
    "cirr": (
        {"image_splits/split.rc2.val.json": json.dumps({name: f"./dev/{name}.png" for name in MEMBERS})},
        "captions/cap.rc2.val.json", CIRR, load_cirr,
    ),
    "circo": ({}, "annotations/val.json", CIRCO, load_circo),
    "fashioniq": (
        {
            f"{part}": text
            for kind in ("dress", "shirt", "toptee")
            for part, text in ((f"captions/cap.{kind}.val.json", json.dumps([IQ])),
                               (f"image_splits/split.{kind}.val.json", '["A", "B"]'))
        },
        "captions/cap.dress.val.json", IQ, load_fashioniq,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANNOTATIONS)
@seeded
@given(data=st.data())
def test_annotation_files(name, data):
    others, path, good, load = ANNOTATIONS[name]
    item = hostile(good)
    text = data.draw(item.map("[{}]".format) | mutated(json.dumps([good])) | JSON_VALUES.map(json.dumps) | PIECES)
    with TemporaryDirectory() as folder:
        for other, content in others.items():
            write(Path(folder), other, content)
        write(Path(folder), path, text)
        outcome(lambda: load(Path(folder)))


@seeded
@given(mutated(PROMPT))
def test_prompt_files(text):
    outcome(lambda: parse_prompt(text, "own.md"))


def test_the_good_ones_are_good():
    assert parse_prompt(PROMPT, "own.md").id == "own"
    with TemporaryDirectory() as folder:
        for others, path, good, load in ANNOTATIONS.values():
            for other, content in others.items():
                write(Path(folder), other, content)
            write(Path(folder), path, json.dumps([good]))
            assert load(Path(folder)).queries
        queries, bad = read_queries(write(Path(folder), "q.jsonl", json.dumps(QUERY)), "abcd", "none")
        assert (len(queries), bad) == (1, [])
