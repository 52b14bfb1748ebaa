"""Retrieval where captions stand for pictures: against plain numpy, through the command, and all that can be wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_folder import chat_completion
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.imagination.rules import imagine_by_rules
from ipcir_tools.cli import main
from ipcir_tools.composers import COMPOSERS
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError, NotFoundError
from ipcir_tools.evaluation.benchmarks import CaptionBenchmark, load_captions
from ipcir_tools.evaluation.runs.captions_only import (
    CaptionComponents,
    entry_id,
    evaluate_captions,
    load_caption_gallery,
)
from ipcir_tools.evaluation.runs.langchain_encoder import PROBES, encoder_of, load_embeddings, load_text_encoder
from ipcir_tools.evaluation.runs.outcomes import Measured
from ipcir_tools.evaluation.runs.run import Run
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog

COLOURS = ("red", "blue", "green", "black", "white", "yellow")
THINGS = ("dress", "shirt", "dog", "car")
PLACES = ("on a beach", "in a kitchen", "on a street")
BLIND = ("proxy-image", "paracosm", "pic2word", "searle", "aligned")
"""The composers that need a picture."""
JsonLine = dict[str, Any]


class Words(Embeddings):
    """Each word has a direction; what a text means is their sum, and its length says nothing."""

    def __init__(self, seed: int = 0, dim: int = 48) -> None:
        self.seed, self.dim = seed, dim
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked += texts
        return [self._vector(text).tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    def _vector(self, text: str) -> np.ndarray:
        return sum((_direction(word, self.seed, self.dim) for word in text.lower().split()), np.zeros(self.dim))


def _direction(word: str, seed: int, dim: int) -> np.ndarray:
    start = int.from_bytes(hashlib.sha256(f"{seed} {word}".encode()).digest()[:8], "big")
    return np.random.default_rng(start).standard_normal(dim)


MODULE = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]
from test_captions_only import Words
"""


def gallery_lines(seed: int = 0) -> list[JsonLine]:
    """Every thing in every colour and place, described one to four times; two entries have the very same captions."""
    chance = random.Random(seed)
    lines = []
    for colour in COLOURS:
        for thing in THINGS:
            for place in PLACES:
                variants = [f"a {colour} {thing} {place}", f"{thing} {place} , {colour}", f"one {colour} {thing}"]
                variants.append(f"a photo of a {thing} {chance.choice(['at night', 'by day', 'seen from afar'])}")
                lines.append({"id": f"{colour}-{thing}-{place[-4:]}", "captions": variants[: chance.randint(1, 4)]})
    return [*lines, {"id": "twin", "captions": lines[5]["captions"]}]


def query_lines(seed: int = 1, n: int = 60) -> list[JsonLine]:
    """Edits of one thing each, some with several targets."""
    chance = random.Random(seed)
    names = [line["id"] for line in gallery_lines()[:-1]]
    lines = []
    for number in range(n):
        reference, *targets = chance.sample(names, chance.randint(2, 4))
        template = chance.choice(["in {}", "make it {}", "change the colour to {}", "is {} and more elegant"])
        lines.append(
            {"reference": reference, "modification": template.format(chance.choice(COLOURS)), "targets": targets}
            | ({"id": f"q{number}"} if number % 2 else {})
        )
    return lines


def write(path: Path, lines: list[JsonLine] | str) -> Path:
    path.write_text(lines if isinstance(lines, str) else "\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """A working directory with both files and a module of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "ipcir"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    write(tmp_path / "gallery.jsonl", gallery_lines())
    write(tmp_path / "queries.jsonl", query_lines())
    write(tmp_path / "own_words.py", MODULE)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def loaded(folder: Path) -> CaptionBenchmark:
    return load_captions(folder / "gallery.jsonl", folder / "queries.jsonl")


def components_over(benchmark: CaptionBenchmark, catalog: Catalog, words: Embeddings, home: Path) -> CaptionComponents:
    return CaptionComponents(
        Settings(home=home), catalog, encoder_of(words, "own:Words", catalog, batch_size=16), benchmark
    )


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "home") as opened:
        yield opened


def measured(components: CaptionComponents, benchmark: CaptionBenchmark, *composers: str) -> Measured:
    loaded = load_caption_gallery(components, benchmark, lambda *_: None)
    return Run(components, benchmark, composers, loaded).measure()


# --- what is measured


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def by_hand(gallery: list[JsonLine], queries: list[JsonLine], words: Words) -> dict[str, list[list[int]]]:
    """The ranks of every query's targets, sorted, from nothing but the embeddings and the rules."""

    def encoded(text: str) -> np.ndarray:
        return unit(np.array(words.embed_query(text)))

    entries = {line["id"]: unit(np.mean([encoded(text) for text in line["captions"]], axis=0)) for line in gallery}
    first = {line["id"]: line["captions"][0] for line in gallery}
    found: dict[str, list[list[int]]] = {"modification": [], "reference": [], "sum": [], "imagined+reference": []}
    for query in queries:
        m, v = encoded(query["modification"]), entries[query["reference"]]
        t = encoded(imagine_by_rules(first[query["reference"]], query["modification"]).description)
        asked = {"modification": m, "reference": v, "sum": m + v, "imagined+reference": 0.8 * t + 0.2 * v}
        for composer, probe in asked.items():
            scores = {name: float(entry @ unit(probe)) for name, entry in entries.items() if name != query["reference"]}
            others = [score for name, score in scores.items() if name not in query["targets"]]
            own = sorted((scores[name] for name in query["targets"]), reverse=True)
            ranks = [i + 1 + sum(other >= score - 1e-6 for other in others) for i, score in enumerate(own)]
            found[composer].append(ranks)
    return found


def test_it_equals_a_direct_computation(folder, catalog):
    benchmark = loaded(folder)
    components = components_over(benchmark, catalog, Words(), folder / "home")
    wanted = by_hand(gallery_lines(), query_lines(), Words())
    for outcome in measured(components, benchmark, *wanted).outcomes:
        ranks = [list(outcome.scored[query.id].ranks) for query in benchmark.queries]
        assert ranks == wanted[outcome.composer], outcome.composer
    assert any(rank > 1 for ranks in wanted["imagined+reference"] for rank in ranks)


def test_the_figures_are_those_of_the_ranks(folder, catalog):
    benchmark = loaded(folder)
    report = evaluate_captions(components_over(benchmark, catalog, Words(), folder), benchmark, ["sum"])
    first = [json.loads(line)["targets"][0] for line in (folder / "queries.jsonl").read_text().splitlines()]
    assert [query.main for query in benchmark.queries] == first, "R counts the first of a query's targets"
    hits = [min(ranks) <= 10 for ranks in by_hand(gallery_lines(), query_lines(), Words())["sum"]]
    assert report.rows[0].figures["Hits@10"].mean == pytest.approx(100 * np.mean(hits))
    assert (report.queries, report.gallery) == (60, 73)


def test_every_composer_that_needs_no_picture_runs_and_the_others_say_why(folder, catalog):
    benchmark = loaded(folder)
    report = evaluate_captions(components_over(benchmark, catalog, Words(), folder), benchmark)
    assert [row.composer for row in report.rows] == list(COMPOSERS)
    for row in report.rows:
        if row.composer in BLIND:
            assert "has no pictures" in row.not_run
        else:
            assert (row.scored, row.failed, row.not_run) == (60, 0, "")
    assert len(report.curve) == 21
    assert report.imaginer.queries == {"rules": 60}
    assert report.models["captioner"] == "the first caption of each entry"
    assert report.models["encoder"].startswith("own:Words/48d-")
    assert "the reference is left out of the ranking" in report.rules


def test_an_ensemble_takes_all_captions_of_its_reference(folder, catalog):
    """More captions than there are change nothing, and one caption is the imagined text alone."""
    benchmark = loaded(folder)
    components = components_over(benchmark, catalog, Words(), folder)
    found = {
        each.composer: each for each in measured(components, benchmark, "ensemble:captions=4", "ensemble").outcomes
    }
    ranks = [[each.scored[query.id].ranks for query in benchmark.queries] for each in found.values()]
    assert ranks[0] == ranks[1]
    captions = components.features.several_captions(
        list(load_caption_gallery(components, benchmark, lambda *_: None).ids.values()), 15
    )
    assert {len(each) for each in captions.values()} == {1, 2, 3, 4}


@pytest.fixture(scope="module")
def permutable(tmp_path_factory) -> Iterator[tuple[CaptionComponents, CaptionBenchmark, list[Any]]]:
    folder = tmp_path_factory.mktemp("permutable")
    write(folder / "gallery.jsonl", gallery_lines())
    write(folder / "queries.jsonl", query_lines(n=12))
    benchmark = loaded(folder)
    with Catalog.open(folder / "home") as catalog:
        components = components_over(benchmark, catalog, Words(), folder)
        yield components, benchmark, everything(components, benchmark)


def everything(components: CaptionComponents, benchmark: CaptionBenchmark) -> list[Any]:
    outcomes = measured(components, benchmark, "imagined+reference", "ast", "ensemble").outcomes
    return [(each.composer, each.scored) for each in outcomes]


@settings(max_examples=12)
@given(data=st.data())
def test_the_order_of_the_gallery_decides_nothing(permutable, data):
    """Not even how the scores of two entries that say the same are rounded."""
    components, benchmark, before = permutable
    names = data.draw(st.permutations(benchmark.gallery))
    captions = {name: benchmark.captions[name] for name in names}
    assert everything(components, dataclasses.replace(benchmark, gallery=tuple(names), captions=captions)) == before


def test_the_first_caption_of_an_entry_is_what_is_known_of_it(folder, catalog):
    """A reference whose imagination is given is not captioned: what is known of it is in the modification."""
    benchmark = loaded(folder)
    components = components_over(benchmark, catalog, Words(), folder)
    first = {entry_id(captions): captions[0] for captions in benchmark.captions.values()}
    assert components.features.known_captions([*first, "captions:of-no-entry"]) == first
    assert components.features.captions(list(first)) == first


# --- nothing is encoded twice


def test_what_was_encoded_once_is_not_encoded_again(folder, catalog):
    benchmark, words = loaded(folder), Words()
    first = evaluate_captions(components_over(benchmark, catalog, words, folder), benchmark)
    assert len(words.asked) == len(set(words.asked)), "and the probes are no captions"
    words.asked.clear()
    again = evaluate_captions(components_over(benchmark, catalog, words, folder), benchmark)
    assert words.asked == list(PROBES)
    assert first.model_dump(exclude={"this_run"}) == again.model_dump(exclude={"this_run"})


def test_a_changed_caption_is_another_entry(folder, catalog):
    benchmark, words = loaded(folder), Words()
    evaluate_captions(components_over(benchmark, catalog, words, folder), benchmark, ["reference"])
    changed = gallery_lines()
    changed[7]["captions"] = [*changed[7]["captions"], "a purple elephant"]
    write(folder / "gallery.jsonl", changed)
    words.asked.clear()
    benchmark = loaded(folder)
    (outcome,) = measured(components_over(benchmark, catalog, words, folder), benchmark, "reference").outcomes
    assert words.asked == [*PROBES, "a purple elephant"]
    wanted = by_hand(changed, query_lines(), Words())["reference"]
    assert [list(outcome.scored[query.id].ranks) for query in benchmark.queries] == wanted


def test_another_model_under_the_same_name_has_another_space(catalog):
    spaces = [encoder_of(Words(seed), "own:Words", catalog).space for seed in (0, 1, 0, 1)]
    assert spaces[0] == spaces[2] != spaces[1] == spaces[3]
    assert encoder_of(Words(dim=12), "own:Words", catalog).space not in spaces


def test_rounding_and_length_make_no_other_space(catalog):
    class Rounded(Words):
        def _vector(self, text: str) -> np.ndarray:
            return np.round(3.5 * super()._vector(text), 1)

    assert encoder_of(Words(), "own:Words", catalog).space == encoder_of(Rounded(), "own:Words", catalog).space


def test_a_model_that_answers_much_the_same_is_another_one(catalog):
    """Two versions of a model often agree to 0.99: their vectors must not be mixed."""

    class Tuned(Words):
        def _vector(self, text: str) -> np.ndarray:
            return super()._vector(text) + 0.1 * Words(seed=1)._vector(text)

    one, other = ([unit(np.array(words.embed_query(text))) for text in PROBES] for words in (Words(), Tuned()))
    assert all(0.98 < float(a @ b) < 0.998 for a, b in zip(one, other, strict=True))
    assert encoder_of(Words(), "own:Words", catalog).space != encoder_of(Tuned(), "own:Words", catalog).space


def test_a_home_of_pictures_keeps_its_own_space(folder, catalog):
    catalog.bind_space("open_clip:of/pictures/512d-00000000")
    benchmark = loaded(folder)
    report = evaluate_captions(components_over(benchmark, catalog, Words(), folder), benchmark, ["sum"])
    assert report.models["encoder"].startswith("own:Words/")
    assert catalog.space() == "open_clip:of/pictures/512d-00000000"


# --- files with faults


def test_faulty_lines_are_counted_and_named(folder, catalog):
    entries = [json.dumps(line) for line in gallery_lines()]
    entries += [
        '{"id": "red-dress-each", "captions": ["again"]}', "{nothing", '{"id": "bare"}',
        '{"id": "silent", "captions": []}', '{"id": 17, "captions": ["a red dog", " "]}',
        '{"id": "blank", "captions": ["", "  "]}',
    ]  # fmt: skip
    queries = [json.dumps(line) for line in query_lines()[:4]]
    queries += [
        '{"reference": "ghost", "modification": "in red", "targets": ["twin"]}',
        '{"reference": "twin", "modification": "in red", "targets": ["ghost", "blank"]}',
        '{"reference": "twin", "modification": " ", "targets": ["17"]}',
        '{"reference": "twin", "modification": "in red", "targets": ["twin"]}',
        '{"reference": "silent", "modification": "in red", "targets": [17]}',
        '{"reference": 17, "modification": "in red", "targets": ["blank"]}',
        '{"reference": 17, "modification": "in red", "targets": ["twin"], "id": "q1"}',
        '{"reference": 17, "modification": "in red", "targets": ["twin"], "id": "good"}',
    ]
    write(folder / "gallery.jsonl", "\n".join(entries))
    write(folder / "queries.jsonl", "\ufeff" + "\n\n".join(queries))
    benchmark = loaded(folder)
    report = evaluate_captions(components_over(benchmark, catalog, Words(), folder), benchmark, ["sum", "imagined"])
    reasons = {failure.query: failure.reason for failure in report.failures}
    assert reasons == {
        "line 9": "no such entry in gallery.jsonl: ghost",
        "line 11": "no such entry in gallery.jsonl: ghost",
        "line 13": "modification: string should have at least 1 character",
        "line 15": "the reference is a target, but it is left out of the ranking",
        "17": "the reference cannot be used: silent has no caption",
        "19": "the target is not in the gallery: blank has no caption",
        "line 21": "the id q1 is already used",
    }
    assert [(row.scored, row.failed) for row in report.rows] == [(5, 7), (5, 7)]
    assert report.unreadable == {
        "gallery.jsonl, line 74": "the id red-dress-each is already used",
        "gallery.jsonl, line 75": report.unreadable["gallery.jsonl, line 75"],
        "gallery.jsonl, line 76": "captions: field required",
        "silent": "has no caption",
        "blank": "has no caption",
    }
    assert "json" in report.unreadable["gallery.jsonl, line 75"]
    assert any("2 entries without a caption" in rule and "silent; blank" in rule for rule in report.rules)
    assert any("ignored: 17; blank" in rule for rule in report.rules)


def test_queries_over_captions_hold_what_those_over_pictures_hold(folder, catalog):
    write(folder / "gallery.jsonl", [*gallery_lines(), {"id": "silent", "captions": []}])
    names = [line["id"] for line in gallery_lines()]
    query = {"modification": "in red", "targets": [names[3]], "negatives": [names[4]], "wordings": ["red, please"]}
    write(
        folder / "queries.jsonl",
        [
            query | {"reference": [names[0], {"reference": names[1], "note": "its colour"}], "kinds": ["replace"]},
            query | {"reference": [names[0], "silent"]},
        ],
    )
    benchmark = loaded(folder)
    first = benchmark.queries[0]
    assert (first.references, first.others[0].note) == ((names[0], names[1]), "its colour")
    assert (first.negatives, first.wordings, first.kinds) == ((names[4],), ("red, please",), ("replace",))
    report = evaluate_captions(components_over(benchmark, catalog, Words(), folder), benchmark, ["sum"])
    assert [failure.reason for failure in report.failures] == [
        "the reference cannot be used: silent has no caption",
    ]


@pytest.mark.parametrize(
    ("gallery", "queries", "expected"),
    [
        ("", "[]", "gallery.jsonl holds no entry with a caption .it is empty."),
        ('{"id": "a", "captions": []}', "[]", "holds no entry with a caption"),
        ('{"id": "a", "captions": ["x"]}', "[]", "queries.jsonl holds no query .1 are not valid"),
        ('{"id": "a", "captions": ["x"]}', "\n", "queries.jsonl holds no query .it is empty"),
    ],
)
def test_files_without_anything_to_measure_are_refused(folder, gallery, queries, expected):
    write(folder / "gallery.jsonl", gallery)
    write(folder / "queries.jsonl", queries)
    with pytest.raises(InvalidRequestError, match=expected):
        loaded(folder)


def test_files_that_are_missing_are_named(folder):
    with pytest.raises(NotFoundError, match=r"absent\.jsonl is missing"):
        load_captions(folder / "absent.jsonl", folder / "queries.jsonl")
    write(folder / "gallery.jsonl", "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        loaded(folder)


def test_a_text_without_a_direction_costs_its_own_entry_and_queries_alone(folder, catalog):
    class Picky(Words):
        def _vector(self, text: str) -> np.ndarray:
            return np.full(self.dim, np.nan if "!" in text else 0.0) if set("!?") & set(text) else super()._vector(text)

    entries = gallery_lines()
    entries[3]["captions"], entries[9]["captions"] = ["what?"], ["a red dress", "no!"]
    names = [line["id"] for line in entries]
    asked = [(3, "in blue"), (0, "in what?"), (0, "in blue"), (1, "in red")]
    lines = [{"reference": names[i], "modification": text, "targets": [names[20 + i]]} for i, text in asked]
    write(folder / "gallery.jsonl", entries)
    write(folder / "queries.jsonl", lines)
    benchmark = loaded(folder)
    components = components_over(benchmark, catalog, Picky(), folder)
    report = evaluate_captions(components, benchmark, ["modification", "reference"])
    assert set(report.unreadable) == {names[3], names[9]}
    assert "'no!'" in report.unreadable[names[9]]
    assert [(row.scored, row.failed) for row in report.rows] == [(2, 2), (3, 1)]
    assert {failure.query: failure.composer for failure in report.failures} == {"1": None, "2": "modification"}
    assert "in what?" in report.failures[-1].reason


# --- embeddings that cannot be used

FAULTY = """
import numpy as np
from test_captions_only import Words

class Absent: pass
class Costly(Words):
    def __init__(self, key): pass
class Raising(Words):
    def __init__(self): raise OSError("no\\nkey")
class Down(Words):
    def embed_documents(self, texts): raise TimeoutError
def text(): return "words"
def made(): return Words(seed=3)
ready = Words(seed=3)
def given(answer):
    class Given(Words):
        def embed_documents(self, texts): return answer(texts)
    return Given
Ragged = given(lambda texts: [[1.0] * (1 + i % 2) for i, _ in enumerate(texts)])
Nan = given(lambda texts: [[float("nan"), 1.0] for _ in texts])
Zeros = given(lambda texts: [[0.0, 0.0] for _ in texts])
Few = given(lambda texts: [[1.0, 2.0]])
Nothing = given(lambda texts: None)
Empty = given(lambda texts: [[] for _ in texts])
Letters = given(lambda texts: [["a", "b"] for _ in texts])
Numbers = given(lambda texts: [1.0 for _ in texts])
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("own_faulty", "is not a name of embeddings: write MODULE:NAME"),
        ("own_faulty:", "is not a name of embeddings"),
        (":Words", "is not a name of embeddings"),
        ("own_faulty:Words()", "is not a name of embeddings"),
        ("own_absent:Words", "There is no module 'own_absent', neither in"),
        ("own_absent.part:Words", "There is no module 'own_absent.part'"),
        ("own_needy:Words", "cannot be imported: ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("own_broken:Words", "cannot be imported: SyntaxError"),
        ("own_faulty:Wrods", "There is no Wrods in .*own_faulty.py; it has Words, Costly"),
        ("own_faulty:Absent", "gives a Absent, not Embeddings"),
        ("own_faulty:text", "gives a str, not Embeddings"),
        ("own_faulty:np", "gives a module, not Embeddings"),
        ("own_faulty:Costly", "Cannot make the embeddings own_faulty:Costly: TypeError.*without arguments"),
        ("own_faulty:Raising", "OSError: no key"),
        ("own_faulty:Down", "failed: TimeoutError.*run again"),
        ("own_faulty:Ragged", "vectors of 1 and 2 numbers"),
        ("own_faulty:Nan", "zeros or no numbers"),
        ("own_faulty:Zeros", "zeros or no numbers"),
        ("own_faulty:Few", "1 vectors for 3 texts"),
        ("own_faulty:Nothing", "no lists of numbers"),
        ("own_faulty:Empty", "vectors of 0 numbers"),
        ("own_faulty:Letters", "no lists of numbers"),
        ("own_faulty:Numbers", "vectors of no numbers"),
    ],
)
def test_embeddings_that_cannot_be_used_are_reported_in_one_line(folder, catalog, name, expected):
    write(folder / "own_faulty.py", MODULE + FAULTY)
    write(folder / "own_needy.py", "import not_there_at_all")
    write(folder / "own_broken.py", "def (")
    with pytest.raises((InvalidRequestError, ModelUnavailableError), match=expected) as caught:
        load_text_encoder(name, catalog)
    assert "\n" not in str(caught.value)


def test_a_class_a_function_and_an_instance_are_all_embeddings(folder):
    write(folder / "own_faulty.py", MODULE + FAULTY)
    found = [load_embeddings(f"own_faulty:{name}") for name in ("Words", "made", "ready")]
    assert [each.seed for each in found] == [0, 3, 3]


# --- the command


def ipcir(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    files = ("--gallery", "gallery.jsonl", "--queries", "queries.jsonl")
    monkeypatch.setattr(sys, "argv", ["ipcir", "eval", "captions", *files, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_the_command_reports_as_for_pictures(folder, monkeypatch, capsys):
    write(folder / "own_words.py", MODULE + "print('loading the words')")
    written = ("--html", "report.html", "--markdown", "report.md")
    status, out, err = ipcir(
        monkeypatch, capsys, "--embeddings", "own_words:Words", "--composers", "all", "--json", *written
    )
    assert (status, "loading the words" in err) == (0, True)
    document = json.loads(out)
    assert [row["composer"] for row in document["rows"]] == list(COMPOSERS)
    assert [row["composer"] for row in document["rows"] if row["not_run"]] == list(BLIND)
    assert document["benchmark"] == "queries over gallery"
    assert "entries of captions; imagined targets" in (folder / "report.md").read_text(encoding="utf-8")
    page = (folder / "report.html").read_text(encoding="utf-8")
    example = document["examples"][0]
    captions = {line["id"]: line["captions"][0] for line in gallery_lines()}
    for name in (example["reference"], *example["rankings"][0]["top"]):
        assert f">{captions[name]}<" in page, "captions stand where pictures would"
    assert "imagined+reference" in (folder / "report.md").read_text(encoding="utf-8")


def test_the_command_shows_a_table(folder, monkeypatch, capsys):
    write(folder / "gallery.jsonl", [*gallery_lines(), {"id": "silent", "captions": []}])
    status, out, _ = ipcir(monkeypatch, capsys, "--embeddings", "own_words:Words")
    assert status == 0
    assert "imagined+reference" in out
    assert "imagined by rules 60" in out
    assert "1 of the gallery cannot be used" in out
    assert "silent has no caption" in out
    assert (folder / "ipcir" / "eval" / "captions-gallery" / "catalog.sqlite").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--embeddings", "own_words:Nothing"], "There is no Nothing"),
        (["--embeddings", "own_words:Words", "--composers", "best"], "no composer is called 'best'"),
        (["--embeddings", "own_words:Words", "--gallery", "absent.jsonl"], "absent.jsonl is missing"),
        (["--embeddings", "own_words:Words", "--llm", "openai:m", "--prompt", "mine"], "mine"),
        (["--embeddings", "own_words:Words", "--llm", "openai:m", "--prompt", "imagine.onestage"], "has no pictures"),
    ],
)
def test_what_a_user_can_fix_is_one_line(folder, monkeypatch, capsys, arguments, expected):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    status, out, err = ipcir(monkeypatch, capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert expected in err


# --- with a language model


class Imaginer:
    """An OpenAI-compatible server that counts what it is asked."""

    def __init__(self, http: HTTPServer) -> None:
        self.asked: list[str] = []
        self.pause = 0.0
        self.url = http.url_for("/v1")
        self._lock = threading.Lock()
        http.expect_request("/v1/chat/completions").respond_with_handler(self._reply)

    def _reply(self, request: Request) -> Response:
        messages = json.loads(request.data)["messages"]
        with self._lock:
            self.asked.append(json.dumps(messages))
        time.sleep(self.pause)
        caption, modification = (
            re.findall(rf"<{name}>\n?(.*?)\n?</{name}>", messages[-1]["content"], re.DOTALL)[-1]
            for name in ("caption", "modification")
        )
        target = {"description": imagine_by_rules(caption, modification).description, "keep": [], "add": []}
        return chat_completion(json.dumps(target), 10, 2)


@pytest.fixture
def imaginer(monkeypatch) -> Iterator[Imaginer]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with HTTPServer(threaded=True) as http:
        made = Imaginer(http)
        monkeypatch.setenv("IPCIR_LLM", "openai:m")
        monkeypatch.setenv("IPCIR_LLM_BASE_URL", made.url)
        yield made


OWN_PROMPT = """---
id: imagine.mine
version: 3
purpose: Tries a prompt of one's own.
variables: {caption: 500, modification: 500}
reply: text
---
## user
Picture this.
<caption>{caption}</caption>
<modification>{modification}</modification>
"""


def test_a_prompt_of_ones_own_is_asked_with_the_first_caption(folder, imaginer, monkeypatch, capsys):
    (folder / "prompts").mkdir()
    write(folder / "prompts" / "imagine.mine.md", OWN_PROMPT)
    monkeypatch.setenv("IPCIR_PROMPTS", str(folder / "prompts"))
    arguments = (
        "--embeddings",
        "own_words:Words",
        "--composers",
        "imagined,signed",
        "--prompt",
        "imagine.mine",
        "--json",
    )
    _, out, err = ipcir(monkeypatch, capsys, *arguments)
    document = json.loads(out)
    assert document["imaginer"]["queries"] == {"llm": 60}, err
    assert document["imaginer"]["prompts"][0].startswith("imagine.mine@3#")
    first = {line["id"]: line["captions"][0] for line in gallery_lines()}
    for line in query_lines():
        assert any(first[line["reference"]] in each and line["modification"] in each for each in imaginer.asked)
    assert len(imaginer.asked) == len(set(imaginer.asked))
    imaginer.asked.clear()
    assert json.loads(ipcir(monkeypatch, capsys, *arguments)[1])["rows"] == document["rows"]
    assert imaginer.asked == []


def test_killed_it_goes_on_and_reports_the_same(folder, imaginer, monkeypatch, capsys):
    arguments = ("--embeddings", "own_words:Words", "--composers", "imagined,sum", "--json")
    whole = json.loads(ipcir(monkeypatch, capsys, *arguments, "--home", folder / "whole")[1])
    distinct = len(imaginer.asked)
    imaginer.asked.clear()
    imaginer.pause = 0.05
    command = [sys.executable, "-c", "from ipcir_tools.cli.main import main; main()", "eval", "captions"]
    files = ["--gallery", "gallery.jsonl", "--queries", "queries.jsonl", "--home", "home"]
    with subprocess.Popen([*command, *files, *arguments], stdout=subprocess.PIPE, start_new_session=True) as process:
        while process.poll() is None and len(imaginer.asked) < distinct // 2:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
    time.sleep(0.3)  # what it had asked for last comes in
    asked, imaginer.pause = set(imaginer.asked), 0.0
    assert distinct // 2 <= len(asked) < distinct
    imaginer.asked.clear()
    resumed = json.loads(ipcir(monkeypatch, capsys, *arguments, "--home", folder / "home")[1])
    assert len(imaginer.asked) < distinct, "what was kept is not asked for again"
    assert len(asked | set(imaginer.asked)) == distinct
    assert {**resumed, "this_run": None} == {**whole, "this_run": None}
