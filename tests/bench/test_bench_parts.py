"""What the benchmark measures with: plans, times, vectors, pictures, processes."""

from __future__ import annotations

import io
import itertools
import os
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import FakeEmbeddings
from PIL import Image

from ipcir_tools.bench import index, machine, peers, process, timing
from ipcir_tools.bench.peers import ExactAlone
from ipcir_tools.bench.pictures import draw_pictures, small_jpegs
from ipcir_tools.bench.plan import PARTS, Plan, parts_named, sizes_of
from ipcir_tools.bench.vectors import ClusteredVectors
from ipcir_tools.bench.weights import encoder_folder
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.presets import DEMO_FOLDER


def quiet(text: str) -> None:
    """Hears nothing."""


# --- the plan


def test_parts_are_taken_in_their_order():
    assert parts_named(" query,index") == ("index", "query")
    assert parts_named(None) == tuple(PARTS)


@pytest.mark.parametrize("text", ["speed", "index,speed", "", ","])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(InvalidRequestError, match="encode, agreement, index"):
        parts_named(text)


def test_sizes():
    assert sizes_of(None, large=False) == (10_000, 100_000)
    assert sizes_of("2000,1_000", large=True) == (1_000, 2_000, 1_000_000)
    for wrong in ("ten", "5", "-100", ","):
        with pytest.raises(InvalidRequestError, match="--sizes"):
            sizes_of(wrong, large=False)


def test_the_sizes_of_other_parts_follow():
    default = Plan(folder=Path("x"))
    assert default.update_sizes == (1_000, 10_000, 100_000)
    assert default.memory_sizes == (10_000, 50_000)
    assert Plan(folder=Path("x"), sizes=(200, 1_000_000)).update_sizes == (200,)
    assert Plan(folder=Path("x"), sizes=(1_000_000,), parts=("query",)).seconds["query"] > PARTS["query"]


# --- times


def test_rates_are_medians_of_rounds_in_which_all_take_turns(monkeypatch):
    order, clock = [], itertools.accumulate([0, 1, 0, 2, 0, 4, 0, 2, 0, 1, 0, 2])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    found = timing.rates({"a": (lambda: order.append("a"), 8), "b": (lambda: order.append("b"), 4)}, 3, quiet)
    assert order == ["a", "b"] * 3
    assert found == {"a": 8 / 1, "b": 4 / 2}


def test_the_start_of_a_work_does_not_count(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    @contextmanager
    def start():
        now[0] += 100
        yield lambda: now.__setitem__(0, now[0] + 2)
        now[0] += 100

    assert timing.rates({"a": (timing.Started(start), 8)}, 2, quiet) == {"a": 4}


def test_neither_the_package_nor_its_peer_is_opened_while_the_clock_runs(tmp_path):
    photos = draw_pictures(tmp_path / "photos", 16, (64, 48), seed=0)
    before: list[set[str]] = []
    weights = DEMO_FOLDER / "clip"
    with index._package(weights, tmp_path / "photos") as work:
        assert work().added == 16
    taken: list[str] = []

    class Embeddings(FakeEmbeddings):
        def embed_image(self, uris: list[str]) -> list[list[float]]:
            taken.extend(uris)
            return self.embed_documents(uris)

    with index._peer(Embeddings(size=4), photos) as work:
        before.append(set(taken))
        taken.clear()
        work()
    assert before == [{str(photos[-1])}]
    assert taken == [str(path) for path in photos[:2]]


def test_calls_take_turns_ten_at_a_time():
    order: list[str] = []
    works = {name: [partial(order.append, f"{name}{i}") for i in range(n)] for name, n in (("a", 12), ("b", 3))}
    found = timing.in_turns(works)
    assert order == [*(f"a{i}" for i in range(10)), "b0", "b1", "b2", "a10", "a11"]
    assert {name: len(times) for name, times in found.items()} == {"a": 12, "b": 3}


def test_chroma_alone_walks_just_as_wide_as_the_recall_needs(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(3_000, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    exact = peers.ExactAlone(rows)
    probes = rows[:30] + 0.1 * rng.normal(size=(30, 32)).astype(np.float32)
    truth = [exact.nearest(probe, 10) for probe in probes]
    alone = peers.ChromaAlone(tmp_path / "chroma")
    alone.put(0, rows)
    monkeypatch.setattr(peers, "BREADTHS", (10, 400))
    narrow = alone.tune(probes, truth, least=0.0)
    assert alone.breadth == 10
    wide = alone.tune(probes, truth, least=1.0)
    assert (alone.breadth, wide) == (400, 1.0)
    assert narrow < wide, "the index goes by the width that it was given last"


def test_recall_is_the_share_of_the_truth():
    assert timing.recall([["a", "b"], ["c", "x"]], [["a", "b"], ["c", "d"]]) == 0.75
    assert timing.recall([[]], [[]]) == 1.0


def test_figures_have_three_digits():
    assert [timing.rounded(value) for value in (1.23456, 0.00123456, 123_456.7)] == [1.23, 0.00123, 123_457.0]


# --- vectors and pictures


def test_vectors_are_clustered_as_features_are():
    made = ClusteredVectors(2_000, 64, seed=1)
    vectors = np.concatenate(list(made.blocks(2_000)))
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0.45)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert 0.4 < np.median(cosines) < 0.55
    assert np.quantile(cosines, 0.999) > 0.7
    again = np.concatenate(list(ClusteredVectors(2_000, 64, seed=1).blocks(2_000)))
    assert (vectors == again).all()


def test_queries_are_no_pictures_of_the_gallery():
    made = ClusteredVectors(500, 64)
    vectors = next(made.blocks(500))
    nearest = (made.queries(20, seed=5) @ vectors.T).max(axis=1)
    assert nearest.max() < 0.95
    assert (ClusteredVectors(500, 64).queries(20, 5) == made.queries(20, 5)).all()


def test_pictures_are_the_same_for_a_seed_and_each_has_its_own_content(tmp_path):
    size = (160, 120)
    first = [path.read_bytes() for path in draw_pictures(tmp_path / "a", 30, size, seed=3)]
    assert [path.read_bytes() for path in draw_pictures(tmp_path / "b", 30, size, seed=3)] == first
    assert len(set(first)) == 30
    with Image.open(io.BytesIO(first[7])) as picture:
        picture.load()
        assert (picture.size, picture.format) == (size, "JPEG")
        assert picture.getexif().get_ifd(0x8769)[0x9003].startswith("2020:")


def test_small_pictures_are_pictures(tmp_path):
    files = small_jpegs(tmp_path, range(998, 1_002))
    assert [str(path.relative_to(tmp_path)) for path, _ in files][1:3] == ["0000/0000999.jpg", "0001/0001000.jpg"]
    assert len({content for _, content in files}) == 4
    for _, content in files:
        Image.open(io.BytesIO(content)).load()


def test_exact_search_gives_the_best_first():
    exact = ExactAlone(np.eye(5, dtype=np.float32))
    vector = np.array([0.1, 0.5, 0.3, 0.0, 0.4], np.float32)
    assert exact.nearest(vector, 3) == [1, 4, 2]
    assert exact.nearest(vector, 2, np.array([0, 2, 3])) == [2, 0]
    assert exact.nearest(vector, 9)[0] == 1


@pytest.mark.parametrize("name", ["open_clip:ViT-B-32/laion2b_s34b_b79k", "transformers:x", "open_clip:a/b/random"])
def test_an_encoder_that_peers_cannot_read_is_refused(name, tmp_path):
    with pytest.raises(InvalidRequestError, match="MODEL/random"):
        encoder_folder(name, tmp_path)


# --- processes


def test_a_function_runs_in_a_process_of_its_own():
    assert process.fresh("plan:parts_named", quiet, text="query") == ["query"]


def test_a_failure_is_one_line():
    with pytest.raises(process.FailedError, match="The benchmark has no part 'speed'"):
        process.fresh("plan:parts_named", quiet, text="speed")
    with pytest.raises(process.FailedError, match="AttributeError"):
        process.fresh("plan:nothing", quiet)


def test_settings_of_the_user_do_not_change_what_is_measured(monkeypatch):
    monkeypatch.setenv("IPCIR_HOME", "/elsewhere")
    monkeypatch.setenv("IPCIR_DTYPE", "float32")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    made = process.environment()
    assert "IPCIR_HOME" not in made
    assert "LANGSMITH_TRACING" not in made
    assert (made["IPCIR_DTYPE"], made["HF_HUB_OFFLINE"]) == ("float32", "1")


def test_what_is_found_out_about_random_weights_is_not_kept_for_real_ones(monkeypatch, tmp_path):
    seen: dict[str, str] = {}

    def start(command, *, env, **named):
        seen.update(env)
        raise OSError("no process")

    monkeypatch.setattr(process.subprocess, "Popen", start)
    with pytest.raises(OSError, match="no process"):
        process.fresh("index:measure", quiet, plan=Plan(folder=tmp_path))
    assert seen["XDG_CACHE_HOME"] == str(tmp_path / "cache")


def test_the_machine_is_named():
    said: list[str] = []
    about = process.fresh("machine:describe", said.append)
    assert about["cores"] == machine.cores()
    assert about["processor"]
    assert about["versions"]["torch"]
    assert said == ["reading what the machine is"]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the system does not tell")
def test_the_work_of_this_process_is_no_other_work():
    watched = machine.OtherWork()
    began = time.process_time()
    while time.process_time() < began + 0.3:
        pass
    share = watched.share()
    assert share is None or 0 <= share <= 1


def test_load_is_busy_by_the_number_of_cores(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 4)
    assert machine.is_busy([1.1, 0, 0])
    assert not machine.is_busy([0.9, 5, 5])
    assert not machine.is_busy(None)
    assert machine.load() is None or len(machine.load()) == 3 or os.name == "nt"
