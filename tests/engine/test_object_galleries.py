"""A gallery from an object store: a real S3 server on loopback, the same commands, the same results, few downloads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import draw, run, use_fake_models
from PIL import Image
from s3_server import Request, S3Server, s3_server

from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.agents.tools.gallery import INDEX_PICTURES
from ipcir_tools.display.export.export import export_turn
from ipcir_tools.display.notebook import turn_html
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.file_names import file_namer
from ipcir_tools.engine.watching import watch
from ipcir_tools.errors import BadImageError, FolderGoneError, InvalidRequestError, NotAllowedError, NotFoundError
from ipcir_tools.images import presence
from ipcir_tools.settings import Settings

SECRETS = ("the-key-id", "the-secret-key", "the-session-token")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as made:
        yield made


@pytest.fixture
def bucket(server, tmp_path) -> Iterator[Any]:
    """A bucket with six pictures below ``photos/``, three of them in a folder."""
    client, name = server.client(), f"bucket-{abs(hash(tmp_path)) % 10**9}"
    client.create_bucket(Bucket=name)
    draw(tmp_path / "drawn", ("red", "blue"))
    for file in sorted((tmp_path / "drawn").iterdir()):
        folder = "photos/" if file.name.startswith("red") else "photos/2024/"
        client.put_object(Bucket=name, Key=folder + file.name, Body=file.read_bytes())
    server.requests.clear()
    yield Bucket(client, name, tmp_path / "drawn", server)
    server.failing = lambda _: None
    presence._seen.clear()


class Bucket:
    def __init__(self, client: Any, name: str, drawn: Path, server: S3Server) -> None:
        self.client, self.name, self.drawn, self.server = client, name, drawn, server
        self.url = f"s3://{name}/photos"

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def move(self, key: str, to: str) -> None:
        self.client.copy_object(Bucket=self.name, Key=to, CopySource={"Bucket": self.name, "Key": key})
        self.delete(key)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.client.delete_object(Bucket=self.name, Key=key)

    def empty(self) -> None:
        listed = self.client.list_objects_v2(Bucket=self.name)
        self.delete(*(each["Key"] for each in listed.get("Contents", ())))

    def downloads(self) -> list[str]:
        """The keys downloaded since the last call."""
        keys = [path.removeprefix(f"/{self.name}/") for path in self.server.downloads]
        self.server.requests.clear()
        return sorted(keys)


@pytest.fixture
def engine(monkeypatch, tmp_path) -> Iterator[Engine]:
    use_fake_models(monkeypatch)
    with Engine.open(Settings(home=tmp_path / "home", batch_size=4)) as opened:
        yield opened


def counts(report: Any) -> dict[str, int]:
    names = ("seen", "added", "unchanged", "moved", "removed")
    return {name: n for name in names if (n := getattr(report, name))}


def picture(colour: str, side: int = 24) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(data, "PNG")
    return data.getvalue()


# --- indexing


def test_only_what_changed_is_ever_downloaded(engine, bucket):
    assert counts(engine.index([bucket.url])) == {"seen": 6, "added": 6}
    assert len(bucket.downloads()) == 6
    assert counts(engine.index()) == {"seen": 6, "unchanged": 6}
    assert counts(engine.index([f"{bucket.url}/2024/"])) == {"seen": 3, "unchanged": 3}
    assert bucket.downloads() == [], "listing tells that nothing changed"
    bucket.put("photos/red-0.png", picture("green"))
    bucket.put("photos/2024/new.png", picture("pink"))
    same = {"CopySource": {"Bucket": bucket.name, "Key": "photos/red-1.png"}, "MetadataDirective": "REPLACE"}
    bucket.client.copy_object(Bucket=bucket.name, Key="photos/red-1.png", Metadata={"touched": "yes"}, **same)
    bucket.server.requests.clear()
    assert counts(engine.index()) == {"seen": 7, "added": 2, "unchanged": 5, "removed": 1}
    assert bucket.downloads() == ["photos/2024/new.png", "photos/red-0.png"], "another time is no other version"


def test_moved_objects_are_known_by_their_hash_and_removed_ones_leave(engine, bucket):
    engine.index([bucket.url])
    bucket.move("photos/red-0.png", "photos/2024/red-0.png")
    bucket.delete("photos/red-1.png")
    encoded = engine.components.encoder.pictures if hasattr(engine.components.encoder, "pictures") else None
    assert counts(engine.index()) == {"seen": 5, "unchanged": 4, "moved": 1, "removed": 1}
    assert encoded is None or engine.components.encoder.pictures == encoded
    assert f"{bucket.url}/2024/red-0.png" in engine.catalog.stamps()


def test_folders_patterns_and_removals_are_as_with_folders_of_this_machine(engine, bucket, tmp_path):
    local = tmp_path / "drawn" / "photos"
    for name in ("red-0.png", "2024/blue-0.png", "raw/red-1.png", "@eaDir/red-2.png"):
        (local / name).parent.mkdir(parents=True, exist_ok=True)
        file = tmp_path / "drawn" / Path(name).name
        (local / name).write_bytes(file.read_bytes())
    with Engine.open(Settings(home=tmp_path / "other")) as other:
        bucket.empty()
        for file in filter(Path.is_file, local.rglob("*")):
            bucket.put(f"photos/{file.relative_to(local)}", file.read_bytes())
        reports = [each.index([place], exclude=["raw/"]) for each, place in ((other, local), (engine, bucket.url))]
        assert len({json.dumps(counts(report)) for report in reports}) == 1
        assert [report.excluded_folders for report in reports] == [2, 2]
        folders = [each.folders()[0] for each in (other, engine)]
        assert [(each.exclude, each.pictures, each.gone) for each in folders] == [(("raw/",), 2, False)] * 2
        assert other.filter_values().folders == engine.filter_values().folders == {"photos": 1, "photos/2024": 1}
        removed = [each.remove([f"{place}/2024"]) for each, place in ((other, local), (engine, bucket.url))]
        assert [[kept.pattern for kept in report.kept_out] for report in removed] == [["/2024/"]] * 2
        assert counts(other.index()) == counts(engine.index()) == {"seen": 1, "unchanged": 1}


def test_a_bucket_or_a_prefix_that_is_gone_keeps_its_pictures(engine, bucket):
    engine.index([bucket.url])
    bucket.empty()
    report = engine.index()
    assert [(each.path, each.pictures, each.empty) for each in report.missing] == [(bucket.url, 6, False)]
    bucket.client.delete_bucket(Bucket=bucket.name)
    assert engine.index().missing == report.missing
    assert engine.catalog.size() == 6
    assert engine.folders()[0].gone
    with pytest.raises(FolderGoneError, match="ipcir remove"):
        engine.index([bucket.url])
    with pytest.raises(NotFoundError, match="does not exist"):
        engine.index(["s3://no-such-bucket/photos"])
    assert engine.remove([bucket.url]).pictures == 6


def test_an_object_that_vanishes_between_listing_and_reading_is_named(engine, bucket):
    bucket.server.failing = lambda asked: (
        (404, "NoSuchKey") if asked.method == "GET" and asked.path.endswith("red-1.png") else None
    )
    report = engine.index([bucket.url])
    assert [(skip.source, skip.reason) for skip in report.skipped] == [(f"{bucket.url}/red-1.png", "does not exist")]
    assert counts(report) == {"seen": 6, "added": 5}


def test_throttled_and_broken_answers_are_asked_for_again(engine, bucket):
    asked: list[Request] = []

    def every_second(request: Request) -> tuple[int, str] | None:
        asked.append(request)
        first = sum(each.path == request.path and each.query == request.query for each in asked) == 1
        return None if not first else (503, "SlowDown") if "red" in request.path else (500, "InternalError")

    bucket.server.failing = every_second
    assert counts(engine.index([bucket.url])) == {"seen": 6, "added": 6}


def test_a_store_that_refuses_keeps_its_pictures_and_tells_no_secret(engine, bucket):
    engine.index([bucket.url])
    bucket.server.failing = lambda _: (403, "AccessDenied")
    report = engine.index()
    assert [skip.reason for skip in report.skipped] == ["cannot be read (permission denied: 403)"]
    assert engine.catalog.size() == 6
    with pytest.raises(InvalidRequestError, match="permission denied") as refused:
        engine.index([bucket.url])
    assert not any(secret in f"{refused.value}{refused.value.__cause__}" for secret in SECRETS)


def test_a_part_that_cannot_be_listed_keeps_its_pictures(engine, bucket):
    engine.index([bucket.url])
    bucket.delete("photos/red-0.png")
    bucket.server.failing = lambda asked: (403, "AccessDenied") if "prefix=photos%2F2024" in asked.query else None
    report = engine.index()
    assert counts(report) == {"seen": 3, "unchanged": 2, "removed": 1}
    assert [skip.source for skip in report.skipped] == [f"{bucket.url}/2024"]


def test_more_bytes_than_the_limit_are_not_downloaded(monkeypatch, bucket, tmp_path):
    use_fake_models(monkeypatch)
    bucket.put("photos/large.png", picture("red", 3_000) + b"0" * 20_000)
    with Engine.open(Settings(home=tmp_path / "home", max_bytes=20_000)) as engine:
        bucket.server.requests.clear()
        report = engine.index([bucket.url])
    assert [skip.source for skip in report.skipped] == [f"{bucket.url}/large.png"]
    assert "IPCIR_MAX_BYTES" in report.skipped[0].reason
    assert "photos/large.png" not in bucket.downloads()


def test_keys_are_taken_as_they_are(engine, bucket):
    keys = ["photos/a b.png", "photos/é.png", "photos/50% #1?.png", "photos/x../y::z.png", "photos/[1]/*.png"]
    bucket.empty()
    for i, key in enumerate(keys):
        bucket.put(key, picture("red", 20 + i))
    engine.index([bucket.url])
    assert sorted(engine.catalog.stamps()) == sorted(f"s3://{bucket.name}/{key}" for key in keys)
    for key in keys:
        record, pixels = engine.resolve(f"s3://{bucket.name}/{key}")
        assert (record.source, pixels) == (f"s3://{bucket.name}/{key}", {})


def test_pictures_in_folders_without_a_name_are_told_and_taken_in_by_their_urls(engine, bucket):
    bucket.empty()
    for i, key in enumerate(("photos/a.png", "photos//b.png", "photos/2024//c.png", "photos/d.png/")):
        bucket.put(key, picture("red", 20 + i))
    report = engine.index([bucket.url])
    assert counts(report) == {"seen": 4, "added": 1}
    assert [skip.source for skip in report.skipped] == [
        f"{bucket.url}//", f"{bucket.url}/2024//", f"{bucket.url}/d.png/",
    ]  # fmt: skip
    assert engine.index([f"{bucket.url}//b.png"]).added == 1
    assert counts(engine.index())["unchanged"] == 2


# --- searching


def test_hits_are_urls_with_gone_marks_and_their_pictures_are_drawn_and_copied(engine, bucket, tmp_path):
    engine.index([bucket.url])
    turn = engine.search(f"{bucket.url}/red-0.png", "in blue", k=3).turn
    assert turn.reference_source == f"{bucket.url}/red-0.png"
    assert all(hit.source.startswith(f"{bucket.url}/2024/blue-") and not hit.gone for hit in turn.hits)
    first = turn.hits[0].source.rpartition("/")[2]
    report = export_turn(turn, tmp_path / "out", engine.settings)
    assert (report.written, report.known) == (3, 0)
    assert (tmp_path / "out" / f"01-{first}").read_bytes() == (bucket.drawn / first).read_bytes()
    assert export_turn(turn, tmp_path / "out", engine.settings).known == 3
    export_turn(turn, tmp_path / "page.html", engine.settings)
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert f"href='{bucket.url}/2024/{first}'" in page
    assert turn_html(turn).count("data:image/jpeg;base64,") == 4
    bucket.delete(f"photos/2024/{first}")
    presence._seen.clear()
    assert [hit.gone for hit in engine.turn(turn.id).hits] == [True, False, False]


def test_filters_take_urls_names_and_folders(engine, bucket):
    engine.index([bucket.url])
    for folder in (f"{bucket.url}/2024", f"{bucket.url}/2024/", "photos/2024", "2024"):
        assert {hit.source.rpartition("/")[2] for hit in engine.find("red", where={"folder": folder}).hits} == {
            "blue-0.png", "blue-1.png", "blue-2.png",
        }  # fmt: skip
    assert len(engine.find("red", where={"folder": bucket.url}, k=10).hits) == 6
    assert [hit.source for hit in engine.find("red", where={"name": "red-1.png"}).hits] == [f"{bucket.url}/red-1.png"]
    with pytest.raises(InvalidRequestError, match="none has the folder"):
        engine.find("red", where={"folder": f"{bucket.url}/2025"})


def test_agents_see_names_below_the_indexed_folder(engine, bucket):
    engine.index([bucket.url])
    source = f"{bucket.url}/2024/blue-0.png"
    names = [file_namer(engine.catalog, show)(source) for show in ("name", "folder", "path")]
    assert names == ["blue-0.png", "photos/2024/blue-0.png", source]
    tool = TOOLS["compose_search"]
    answer = tool.call(engine, tool.read({"reference": "photos/red-0.png", "modification": "in blue", "k": 2}))
    assert "photos/2024" in answer.text
    assert bucket.name not in answer.text
    shown = TOOLS["show_images"]
    ids = [hit["id"] for hit in answer.artifact["hits"]]
    assert len(shown.call(engine, shown.read({"ids": ids})).pictures) >= 1


# --- references


def test_no_other_object_than_the_gallerys_or_an_allowed_one_is_ever_asked_for(monkeypatch, bucket, tmp_path):
    use_fake_models(monkeypatch)
    bucket.put("shared/green.png", picture("green"))
    bucket.put("shared-not/green.png", picture("green", 30))
    shared = f"s3://{bucket.name}/shared"
    with Engine.open(Settings(home=tmp_path / "home", allow_folders=(shared,), agent_index=True)) as engine:
        engine.index([bucket.url])
        bucket.server.requests.clear()
        for refused in (
            f"s3://{bucket.name}/shared-not/green.png",
            f"s3://{bucket.name}/shared/../shared-not/green.png",
            f"s3://{bucket.name}/secret.png",
            "s3://other-bucket/shared/green.png",
            "sftp://127.0.0.1/etc/passwd",
            "ftp://127.0.0.1/a.png",
            "memory://photos/a.png",
            "filecache::s3://other-bucket/a.png",
        ):
            with pytest.raises((NotAllowedError, NotFoundError)):
                engine.resolve(refused)
            tool = INDEX_PICTURES
            with pytest.raises(NotAllowedError):
                tool.run(engine, tool.read({"path": refused}), None)
        assert bucket.server.requests == []
        assert engine.resolve(f"{shared}/green.png")[0].width == 24
        with pytest.raises(NotFoundError, match="There is no file"):
            engine.resolve(f"{shared}/none.png")
        assert engine.resolve(f"{bucket.url}/red-0.png")[1] == {}, "nothing is opened that is known"
        bucket.put("photos/red-0.png", picture("pink"))
        assert list(engine.resolve(f"{bucket.url}/red-0.png")[1]), "what has changed is opened"
        bucket.put("shared/bad.png", b"no picture")
        with pytest.raises(BadImageError):
            engine.resolve(f"{shared}/bad.png")


def test_agents_index_in_allowed_folders_alone(monkeypatch, bucket, tmp_path):
    use_fake_models(monkeypatch)
    allowed = Settings(home=tmp_path / "home", allow_folders=(bucket.url,), agent_index=True)
    with Engine.open(allowed) as engine:
        tool = INDEX_PICTURES
        for name, pictures in ((f"{bucket.url}/2024", 3), ("red-0.png", 4), (bucket.url, 6)):
            context = type("Context", (), {"progress": None})()
            assert tool.run(engine, tool.read({"path": name}), context).brief.pictures == pictures


# --- the command line


def test_the_commands_take_urls(monkeypatch, capsys, bucket, tmp_path):
    use_fake_models(monkeypatch)
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))

    def said(*arguments: object) -> Any:
        status, out, err = run(monkeypatch, capsys, *arguments)
        assert status == 0, err
        return json.loads(out) if "--json" in arguments else out

    assert said("index", bucket.url + "/", "--json")["added"] == 6
    assert said("index", "--json")["unchanged"] == 6
    assert [each["path"] for each in said("folders", "--json")["folders"]] == [bucket.url]
    found = said("search", f"{bucket.url}/red-0.png", "in blue", "--in", f"{bucket.url}/2024", "--json", "-k", "2")
    assert {hit["source"].rpartition("/")[0] for hit in found["hits"]} == {f"{bucket.url}/2024"}
    assert said("search", f"{bucket.url}/red-0.png", "in blue", "--paths", "-k", "1").startswith(f"{bucket.url}/2024/")
    facts = said("show", f"{bucket.url}/red-0.png", "--json")
    assert facts["files"] == [{"path": f"{bucket.url}/red-0.png", "gone": False}]
    said("search", f"{bucket.url}/red-0.png", "in blue", "--sheet", tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").exists()
    said("export", "last", "--to", tmp_path / "copies")
    assert len(list((tmp_path / "copies").iterdir())) == 5
    assert said("remove", f"{bucket.url}/2024", "--json")["pictures"] == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("index", "https://host/photos"), "web page"),
        (("index", "s3://no-such-bucket/photos"), "does not exist"),
        (("watch", "s3://bucket/photos"), "name a file or folder of this machine"),
        (("index", "gs://bucket/photos"), "pip install gcsfs"),
        (("show", "s3://bucket/photos/a.png"), "neither in the gallery"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(monkeypatch, capsys, bucket, tmp_path, arguments, reason):
    use_fake_models(monkeypatch)
    monkeypatch.setenv("IPCIR_HOME", str(tmp_path / "home"))
    with Engine.open(Settings(home=tmp_path / "home")):
        pass
    status, _, err = run(monkeypatch, capsys, *arguments)
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert reason in err


def test_watching_a_url_is_refused(engine, bucket):
    with pytest.raises(InvalidRequestError, match="ipcir index"):
        next(watch(engine, [Path(bucket.url)]))


@pytest.mark.parametrize(("missing", "reason"), [("keys", "no credentials for s3"), ("package", "ipcir-tools[s3]")])
def test_without_keys_or_package_one_line_says_what_is_missing(server, tmp_path, missing, reason):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_ACC", "AWS_S"))}
    code = "import sys; from ipcir_tools.cli.main import main; "
    code += "sys.modules['s3fs'] = None; " if missing == "package" else ""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.argv = ['ipcir', 'index', 's3://bucket/photos']; main()"],
        env={**environment, "IPCIR_HOME": str(tmp_path / "home"), "IPCIR_MODELS": "demo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
