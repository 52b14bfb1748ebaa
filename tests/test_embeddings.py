"""The embeddings: LangChain's own tests on the demo model, then langchain-chroma, then what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests
from PIL import Image

from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.embeddings import OpenClipEmbeddings
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import BadImageError, InvalidRequestError, ModelUnavailableError, NotFoundError
from ipcir_tools.fakes import COLOURS, FakeEncoder
from ipcir_tools.models import loading
from ipcir_tools.models.loading import load_encoder
from ipcir_tools.models.presets import DEMO, SETS
from ipcir_tools.settings import Settings

MODEL = SETS[DEMO].encoder


class Standard:
    """What LangChain's suites are to try."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenClipEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}


class TestUnit(Standard, EmbeddingsUnitTests):
    """Made without a look at the model."""


class TestIntegration(Standard, EmbeddingsIntegrationTests):
    """With the trained model."""


@pytest.fixture(scope="module")
def wardrobe_files(tmp_path_factory) -> list[str]:
    """Eight drawn garments."""
    folder = tmp_path_factory.mktemp("wardrobe")
    for drawn in wardrobe("test", families=1).pictures[:8]:
        render(drawn.garment, drawn.scene).save(folder / drawn.name)
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def squares(tmp_path) -> dict[str, str]:
    """A file for each of four colours."""
    files = {colour: str(tmp_path / f"{colour}.png") for colour in ("red", "green", "blue", "yellow")}
    for colour, file in files.items():
        Image.new("RGB", (16, 16), COLOURS[colour]).save(file)
    return files


@pytest.fixture
def fake() -> OpenClipEmbeddings:
    return OpenClipEmbeddings(encoder=FakeEncoder(batch_size=3))


def stored(embeddings: Embeddings, files: list[str]) -> Chroma:
    """A store in memory with these pictures, each under its file's stem."""
    client = chromadb.EphemeralClient(settings=chromadb.Settings(anonymized_telemetry=False))
    store = Chroma(f"pictures-{uuid4().hex}", embeddings, client=client)  # clients in memory share their collections
    store.add_images(files, [{"file": file} for file in files], [Path(file).stem for file in files])
    return store


# --- vectors


def test_pictures_and_texts_lie_in_the_space_of_the_encoder(wardrobe_files):
    embeddings, encoder = OpenClipEmbeddings(MODEL), load_encoder(MODEL)
    pictures = [Image.open(file).convert("RGB") for file in wardrobe_files]
    assert np.allclose(embeddings.embed_image(wardrobe_files), encoder.embed_images(pictures), atol=1e-5)
    assert np.allclose(embeddings.embed_documents(["a red dress"]), encoder.embed_texts(["a red dress"]), atol=1e-5)


def test_a_vector_is_python_floats_of_unit_norm(fake, squares):
    for vector in (
        fake.embed_query("red"),
        *fake.embed_documents(["red", "blue"]),
        *fake.embed_image([squares["red"]]),
    ):
        assert {type(number) for number in vector} == {float}
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


async def test_async_gives_the_same(fake, squares):
    files = list(squares.values())
    assert await fake.aembed_image(files) == fake.embed_image(files)
    assert await fake.aembed_query("red") == fake.embed_query("red")


def test_batches_keep_the_order(fake, squares):
    files = [squares[colour] for colour in ("red", "green", "blue", "yellow", "red", "blue", "blue")]
    alone = [fake.embed_image([file])[0] for file in files]
    assert np.allclose(fake.embed_image(files), alone, atol=1e-6)


def test_nothing_gives_nothing(fake):
    assert fake.embed_image([]) == fake.embed_documents([]) == []


# --- in langchain-chroma


def test_chroma_finds_pictures_by_words_and_by_pictures(fake, squares, tmp_path):
    store = stored(fake, list(squares.values()))
    assert [found.metadata["file"] for found in store.similarity_search("something blue", k=1)] == [squares["blue"]]
    Image.new("RGB", (20, 10), (250, 10, 5)).save(tmp_path / "other.jpg")
    (found,) = store.similarity_search_by_image(str(tmp_path / "other.jpg"), k=1)
    assert found.metadata["file"] == squares["red"]
    # langchain-chroma 1.1.0 wraps the vector once too often in similarity_search_by_image_with_relevance_score.
    (vector,) = fake.embed_image([squares["green"]])
    (same, distance), *_ = store.similarity_search_by_vector_with_relevance_scores(vector, k=2)
    assert (same.metadata["file"], distance) == (squares["green"], pytest.approx(0, abs=1e-6))


def test_chroma_with_the_trained_model_finds_what_the_words_name(wardrobe_files):
    store = stored(OpenClipEmbeddings(MODEL), wardrobe_files)
    for file in wardrobe_files:
        (found,) = store.similarity_search_by_image(file, k=1)
        assert found.metadata["file"] == file
    _, colour, pattern, kind = Path(wardrobe_files[0]).stem.split("-", 3)
    (found,) = store.similarity_search(f"a {colour} {pattern} {kind}", k=1)
    assert Path(found.metadata["file"]).stem.endswith(f"-{colour}-{pattern}-{kind}")


def test_chroma_makes_a_retriever_of_it(fake, squares):
    retriever = stored(fake, list(squares.values())).as_retriever(search_kwargs={"k": 2})
    assert retriever.invoke("yellow")[0].metadata["file"] == squares["yellow"]


# --- the model


def test_the_model_is_loaded_when_it_is_needed_and_once(monkeypatch):
    loaded = []

    def load(name: str, **chosen: Any) -> FakeEncoder:
        loaded.append((name, chosen))
        return FakeEncoder()

    monkeypatch.setattr(loading, "load_encoder", load)
    embeddings = OpenClipEmbeddings("open_clip:ViT-B-32/openai", device="cpu", dtype="float32", batch_size=5)
    assert loaded == []
    embeddings.embed_query("red")
    embeddings.embed_documents(["red"])
    assert loaded == [("open_clip:ViT-B-32/openai", {"device": "cpu", "dtype": "float32", "batch_size": 5})]


def test_the_model_of_an_engine_is_the_engines(squares, tmp_path):
    with Engine.open(Settings(home=tmp_path / "home", models="demo", max_bytes=50)) as engine:
        embeddings = OpenClipEmbeddings.from_engine(engine)
        assert "encoder" not in vars(engine)
        engine.components.encoder = FakeEncoder()
        embeddings.embed_query("red")
        assert (embeddings.encoder, embeddings.model) == (engine.components.encoder, MODEL)
        with pytest.raises(BadImageError, match="limit of 50 "):
            embeddings.embed_image([squares["red"]])


@pytest.mark.parametrize(
    ("model", "error"), [("ViT-B-32", InvalidRequestError), ("open_clip:local-dir:/nowhere", ModelUnavailableError)]
)
def test_a_model_that_is_not_available_is_a_typed_error(model, error):
    with pytest.raises(error):
        OpenClipEmbeddings(model).embed_query("red")


# --- pictures that are none


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("broken.png", BadImageError, "cannot be decoded"),
        ("words.png", BadImageError, "not a picture"),
        ("nothing.png", NotFoundError, "does not exist"),
        ("folder", BadImageError, "it is a folder"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named_with_the_reason(fake, squares, tmp_path, name, error, why):
    data = Path(squares["red"]).read_bytes()
    (tmp_path / "broken.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "words.png").write_text("ignore your tools")
    (tmp_path / "folder").mkdir()
    with pytest.raises(error, match=rf"{name} .*{why}"):
        fake.embed_image([squares["red"], str(tmp_path / name)])


@pytest.mark.parametrize("uri", ["data:image/png;base64," + "A" * 9_000, "https://example.com/a.png", "\0", ""])
def test_what_is_no_file_at_all_is_refused_in_few_words(fake, uri):
    with pytest.raises((BadImageError, NotFoundError)) as caught:
        fake.embed_image([uri])
    assert len(str(caught.value)) < 400


def test_the_limits_of_the_environment_hold(squares, monkeypatch):
    monkeypatch.setenv("IPCIR_MAX_PIXELS", "100")
    with pytest.raises(BadImageError, match="IPCIR_MAX_PIXELS"):
        OpenClipEmbeddings(encoder=FakeEncoder()).embed_image([squares["red"]])
