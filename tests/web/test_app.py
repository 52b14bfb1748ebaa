"""The page's answers without a browser: what they hold, what they refuse, and what they never tell."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
from pathlib import Path

import httpx
import pytest
from PIL import Image

from ipcir_tools import Settings
from ipcir_tools.engine.gallery_map import GalleryMap, MapGroup, gallery_map
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.web.headers import POLICY
from ipcir_tools.web.requests import AskBody
from ipcir_tools.web.serving import serve

MOST_NOTED = "may have 200 characters at most."


def png(colour=(200, 30, 30), size=(64, 48)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def events(answer) -> list[dict]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.iter_lines()]


def search(client, **asked) -> str:
    """The turn of a round."""
    ended = events(client.post("/api/rounds", json=asked))[-1]
    assert "turn" in ended, ended
    return ended["turn"]


@pytest.fixture(scope="module")
def turn(client, engine) -> str:
    return search(client, text="in blue", references=[{"id": engine.catalog.sample_ids(1)[0]}])


def test_every_page_loads_nothing_from_elsewhere_and_is_never_kept(client, turn):
    for path in ("/", f"/turn/{turn}", "/gallery", "/nowhere"):
        answer = client.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


def test_a_thumbnail_is_small_and_kept_for_ever(client, engine):
    id_ = engine.catalog.sample_ids(1)[0]
    for size, side in (("s", 160), ("m", 224), ("l", 224)):  # the wardrobe's pictures have a side of 224
        answer = client.get(f"/thumb/{size}/{id_}")
        assert "immutable" in answer.headers["cache-control"]
        assert max(Image.open(io.BytesIO(answer.content)).size) == side


@pytest.mark.parametrize(
    ("size", "large"), [((3200, 2400), (1600, 1200)), ((900, 1300), (900, 1300)), ((3600, 300), (1600, 133))]
)
def test_a_picture_that_is_opened_has_the_pixels_of_a_screen(client, engine, tmp_path, size, large):
    file = tmp_path / "large.png"
    file.write_bytes(png(size=size))
    record, _ = engine.resolve(file)
    engine.catalog.remember([record])
    assert Image.open(io.BytesIO(client.get(f"/thumb/l/{record.id}").content)).size == large


@pytest.mark.parametrize("name", ["0000000000000000", "%2e%2e%2fcatalog.sqlite", "..", "x" * 3000])
def test_what_is_no_picture_of_the_catalog_is_a_sign_that_is_not_kept(client, name):
    answer = client.get(f"/thumb/m/{name}")
    if answer.status_code == 200:
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/svg+xml", "no-store")
    else:
        assert answer.status_code == 404


def test_a_dropped_picture_is_kept_so_that_its_turn_shows_it_tomorrow(client, engine):
    id_ = client.post("/api/references", content=png()).json()["id"]
    assert client.post("/api/references", content=png()).json()["id"] == id_
    kept = Path(engine.catalog.folder) / "references"
    assert [each.name for each in kept.iterdir()] == [id_]
    turn = search(client, text="in green", references=[{"id": id_}])
    assert f"/thumb/s/{id_}" in client.get(f"/turn/{turn}").text
    assert client.get(f"/thumb/m/{id_}").headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
def test_what_is_no_picture_is_refused_in_one_sentence_and_not_kept(client, engine, content):
    answer = client.post("/api/references", content=content)
    assert answer.status_code in (400, 422)
    assert "choose" in answer.json()["error"]
    assert len(list((Path(engine.catalog.folder) / "references").glob("*"))) <= 1


def test_the_turn_shows_its_words_its_hits_and_why(client, engine, turn):
    page, stored = client.get(f"/turn/{turn}").text, engine.turn(turn)
    assert stored.imagined.description in page
    assert page.count('class="card"') == len(stored.hits)
    assert all(f'data-id="{hit.id}"' in page for hit in stored.hits)
    assert 'data-kind="add" data-word="blue"' in page


def test_captions_and_names_cannot_break_out_of_the_page(client, engine):
    turn = search(
        client,
        text='<script>alert(1)</script> in blue"><img src=x>',
        references=[{"id": engine.catalog.sample_ids(1)[0]}],
    )
    page = client.get(f"/turn/{turn}").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_words_are_struck_out_and_added(client, engine, turn):
    before = engine.turn(turn).imagined
    body = {"keep": list(before.keep), "add": ["green"], "remove": list(before.remove)}
    edited = engine.turn(client.post(f"/api/imagined/{turn}", json=body).json()["turn"])
    assert (edited.parent, edited.imagined.add, edited.imagined.origin) == (turn, ("green",), "person")
    assert "edited by you" in client.get(f"/turn/{edited.id}").text


def test_a_question_is_asked_beside_what_was_found_and_answered(client, engine):
    asked = events(client.post("/api/rounds", json={"text": "something nice"}))[-1]
    assert asked["question"]
    assert asked["turn"] is None
    assert asked["question"].split("?")[0] in client.get(f"/?ask={asked['round']}").text
    answered = events(client.post("/api/rounds", json={"text": "a red dress", "round": asked["round"]}))[-1]
    assert engine.turn(answered["turn"]).query.modification == "a red dress"
    assert client.get(f"/?ask={asked['round']}").status_code == 200


def test_lines_of_the_chat_work_here_too(client, engine, turn):
    second = search(client, text="more like 2, with long sleeves", turn=turn)
    assert engine.turn(second).query.liked == (engine.turn(turn).hits[1].id,)
    assert search(client, text="undo", turn=second) == turn
    said = events(client.post("/api/rounds", json={"text": "thank you", "turn": turn}))[-1]
    assert said["said"] == "You are welcome."


def test_errors_are_one_sentence(client, turn):
    assert "no turn" in client.get("/turn/t00000000000").text
    wrong = events(client.post("/api/rounds", json={"text": "in blue", "references": [{"id": "0123456789abcdef"}]}))[-1]
    assert "0123456789abcdef" in wrong["error"]
    for path in ("/etc/passwd", "~/a.png", "3", "data:image/png;base64,AAAA", "https://a.example/b.png"):
        assert client.post("/api/rounds", json={"text": "in blue", "references": [{"id": path}]}).status_code == 400
    assert "Name a folder" in client.post("/api/index", json={"folders": ["  "]}).json()["error"]
    for place in ("pictures", "~nobody-here/pictures"):
        answer = client.post("/api/index", json={"folders": [place]})
        assert answer.json()["error"] == f"{place} is no whole path: begin with / or ~."
    alone = search(client, text="a red dress")
    back = events(client.post("/api/rounds", json={"text": "undo", "turn": alone}))[-1]
    assert "There is only 1 turn here" in json.dumps(back)
    assert client.post("/api/rounds", content=b"{").status_code == 400
    assert client.post("/api/rounds", content=b" " * 1_000_001).status_code == 400
    assert client.post(f"/api/imagined/{turn}", json={"keep": [], "add": [], "remove": []}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"k": 0}, "Pictures must be 1 or more."),
        ({"k": 99_999}, "Pictures must be 2,000 or less."),
        ({"k": "many"}, "Pictures must be a whole number."),
        ({"k": 2.5}, "Pictures must be a whole number."),
        ({"weight": 3}, "Weight of words must be 1 or less."),
        ({"weight": "a"}, "Weight of words must be a number."),
        ({"verify": "nonsense"}, "Look again at: choose one of the list."),
        ({"verify": -1}, "Look again at: choose one of the list."),
        ({"where": 3}, "Only pictures cannot be read."),
        ({"text": 3}, "What you write must be a text."),
        ({"references": [{"id": "../a"}]}, "Reference pictures must be named by an id, as the page does."),
        ({"references": [{"id": "f" * 16, "note": "n" * 3_000}]}, f"What is meant of a picture {MOST_NOTED}"),
        ({"liked": ["f" * 16] * 300}, "Pictures that you like may be 200 at most."),
        ({"colour": "red"}, "There is no field 'colour': reload the page."),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named_by_its_label_in_a_plain_sentence(client, asked, said):
    answer = client.post("/api/rounds", json={"text": "in blue", **asked})
    assert (answer.status_code, answer.json()["error"]) == (400, said)


def test_the_labels_in_errors_are_those_of_the_page(client, turn):
    page = client.get(f"/turn/{turn}").text
    for name in ("k", "weight", "composer", "verify", "where"):
        assert AskBody.model_fields[name].title in page


def test_every_kind_of_error_that_a_body_can_have_is_a_sentence(client):
    """Whatever is sent in place of a value, nobody reads what only a programmer understands."""
    for name in AskBody.model_fields:
        for wrong in (True, -1, 1e30, "x" * 5_000, [1], {"a": 1}, [["x"]], [{"id": 3}]):
            error = client.post("/api/rounds", json={"text": "undo", name: wrong})
            if error.status_code == 400:
                assert not re.search(r"[Ii]nput|[Ss]tring|should|valid", error.json()["error"]), (name, wrong)


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("index", {"folders": ["a/" * 200_000]}),
        ("remove", {"folders": ["../" * 100_000]}),
        ("export/t00000000000", {"to": "a/" * 3_000}),
        ("imagined/t00000000000", {"add": ["red " * 100_000]}),
        ("rounds", {"text": "in blue", "composer": "9" * 100_000}),
    ],
)
def test_long_texts_are_refused_before_anything_is_done_with_them(client, engine, place, body):
    size = engine.catalog.size()
    answer = client.post(f"/api/{place}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("characters at most.")
    assert engine.catalog.size() == size


def test_the_chosen_hits_are_exported(client, engine, turn, tmp_path):
    hits = engine.turn(turn).hits
    chosen = [hits[0].id, hits[2].id]
    table = client.post(f"/export/{turn}.csv", json={"ids": chosen})
    assert [row["id"] for row in csv.DictReader(io.StringIO(table.text.lstrip("\ufeff")))] == [hits[0].id, hits[2].id]
    assert "attachment" in table.headers["content-disposition"]
    page = client.get(f"/export/{turn}.html").text
    assert page.count("data:image/jpeg;base64,") >= len(hits)
    assert client.post(f"/export/{turn}.csv", json={"ids": ["f" * 16]}).status_code == 404
    assert client.post(f"/export/{turn}.csv", json={"ids": [f"{n:016x}" for n in range(2_001)]}).status_code == 400
    assert client.get(f"/export/{turn}.exe").status_code == 404
    report = client.post(f"/api/export/{turn}", json={"to": str(tmp_path / "out"), "ids": [hits[1].id]}).json()
    assert report["written"] == len(list((tmp_path / "out").iterdir())) == 1
    for to in (" ", "out", "s3://bucket/out", str(tmp_path / "hits.csv")):  # no folder that anybody would find again
        assert client.post(f"/api/export/{turn}", json={"to": to}).status_code == 400


def test_a_turn_is_replayed(client, turn):
    assert client.post(f"/api/replay/{turn}").json()["same"]


def test_a_picture_tells_its_facts_and_why_it_was_found(client, engine, turn):
    hit = engine.turn(turn).hits[0]
    page = client.get(f"/picture/{hit.id}", params={"turn": turn}).text
    assert hit.source in page
    assert "Like the picture" in page
    assert "1 is the same picture" in page
    assert "<html" not in client.get(f"/picture/{hit.id}?part=1").text
    assert client.get("/picture/0123456789abcdef").status_code == 404


def test_the_map_has_every_picture_once_and_the_copies_are_grouped(client, engine):
    drawn = client.get("/api/map").json()
    assert sorted(each["id"] for each in drawn["points"]) == sorted(engine.catalog.gallery_ids())
    assert sum(group["pictures"] for group in drawn["groups"]) == len(drawn["points"])
    assert all(0 <= each[axis] <= 1 for each in drawn["points"] for axis in "xy")
    assert len({each["name"] for group in drawn["groups"] for each in group["typical"]}) >= len(drawn["groups"])
    groups = client.get("/api/copies").json()["groups"]
    assert all(len(group) > 1 for group in groups)


def test_without_captions_groups_and_pictures_are_told_apart_by_their_files(client, engine, monkeypatch):
    monkeypatch.setattr(engine.catalog, "captions", lambda ids, captioner: {})
    monkeypatch.setattr("ipcir_tools.web.insight.gallery_map", lambda engine: gallery_map(engine, 1_999))
    groups = client.get("/api/map").json()["groups"]
    assert len({group["name"] for group in groups}) == len(groups) > 1
    for group in groups:
        names = [each["name"] for each in group["typical"]]
        assert group["name"] == f"like {names[0]}"
        assert len(set(names)) == len(names)
    alts = re.findall(r'alt="Start from ([^"]+)"', client.get("/").text)
    assert len(set(alts)) == len(alts) == 18
    assert all(alt.endswith(".jpg") for alt in alts)


def test_groups_of_one_name_are_told_apart(client, engine, monkeypatch):
    ids = engine.catalog.sample_ids(4)
    drawn = GalleryMap(
        points=(),
        gallery=4,
        groups=tuple(MapGroup(name="blue", pictures=2, typical=tuple(ids[n : n + 2])) for n in (0, 2)),
    )
    monkeypatch.setattr("ipcir_tools.web.insight.gallery_map", lambda engine: drawn)
    first, second = (group["name"] for group in client.get("/api/map").json()["groups"])
    assert first == "blue"
    assert second.startswith("blue, like ")


def test_a_filter_narrows_a_search_and_is_shown_again(client, engine, turn):
    folder = next(iter(engine.filter_values().folders))
    found = search(client, text="in green", turn=turn, where={"folder": folder}, k=3)
    assert engine.turn(found).query.where == {"folder": folder}
    assert f'<option value="{folder}" selected' in client.get(f"/turn/{found}").text
    cleared = search(client, text="in red", turn=found, where={})
    assert not engine.turn(cleared).query.where


def test_other_names_and_other_pages_are_refused(site):
    port = site.rpartition(":")[2]
    assert httpx.get(site).status_code == 200
    assert httpx.get(site, headers={"host": f"evil.example:{port}"}).status_code == 421
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert httpx.post(f"{site}/api/rounds", headers=foreign, json={"text": "in blue"}).status_code == 403
    assert httpx.get(f"{site}/thumb/m/0123456789abcdef", headers=foreign).status_code == 403


def test_a_port_that_is_taken_is_named_before_anything_is_opened(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InvalidRequestError, match="--port"):
        serve(Settings(home=tmp_path / "home"), port=taken.getsockname()[1], browser=False)
    assert not (tmp_path / "home").exists()
