"""What a picture may be called, by whom, and what a wrong name is answered with."""

from __future__ import annotations

import base64
import io
import ipaddress
import os
import re
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Response

from ipcir_tools.engine.reference_words import hit_id
from ipcir_tools.engine.references import local_reference, resolve
from ipcir_tools.errors import BadImageError, InvalidRequestError, IPCIRError, NotAllowedError, NotFoundError
from ipcir_tools.images import fetching
from ipcir_tools.images.fetching import fetch, is_public
from ipcir_tools.images.reading import LoadedImage, image_id, load
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.types import ComposedQuery, Hit, ImageRecord, Turn

SPACE = "test/2d-00000000"


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path / "home") as catalog:
        yield catalog


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in ("red", "blue"):
        (folder / f"{colour}.png").write_bytes(png(colour))
    return folder


def put(catalog: Catalog, file: Path) -> ImageRecord:
    """Into the gallery, as indexing would."""
    record = load(file, Settings()).record
    status = file.stat()
    stamp = FileStamp(str(file), record.id, status.st_size, status.st_mtime_ns)
    catalog.add([record], [stamp], {record.id: np.ones(2, dtype=np.float32)}, SPACE)
    return record


def pretend(catalog: Catalog, *ids: str) -> None:
    catalog.remember([ImageRecord(id=i, source="elsewhere", bytes=1, width=1, height=1, format="png") for i in ids])


def ask(reference: str, catalog: Catalog, *, typed: bool = False, **chosen: object) -> ImageRecord | LoadedImage:
    """What a string names: as an agent gives it, or as a person typed it at this machine."""
    return resolve(local_reference(reference, catalog) if typed else reference, catalog, Settings(**chosen))


# --- ids


@pytest.mark.parametrize("typed", [True, False])
def test_an_id_or_its_beginning_names_a_known_picture(catalog, typed):
    pretend(catalog, "abcdef0123456789", "abcdee0123456789")
    for reference in ("abcdef0123456789", "abcdef", " ABCDEF01 "):
        found = ask(reference, catalog, typed=typed)
        assert isinstance(found, ImageRecord)
        assert found.id == "abcdef0123456789"


def test_the_beginning_of_several_ids_is_ambiguous(catalog):
    pretend(catalog, "abcdef0123456789", "abcdef9876543210")
    with pytest.raises(InvalidRequestError, match="give more of its digits"):
        ask("abcdef", catalog)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("reference", ["ffffffffffffffff", "the red one", "abcde"])
def test_an_unknown_id_says_where_ids_come_from(catalog, reference, typed):
    with pytest.raises(NotFoundError, match="earlier hits") as caught:
        ask(reference, catalog, typed=typed)
    assert reference in str(caught.value)


@pytest.mark.parametrize("reference", ["", "  \n", "a\0b.png"])
def test_an_empty_reference_is_an_invalid_request(catalog, reference):
    with pytest.raises(InvalidRequestError):
        ask(reference, catalog, typed=True)


# --- files, for a person


def test_a_person_may_name_any_file(catalog, photos, monkeypatch):
    monkeypatch.setenv("HOME", str(photos))
    monkeypatch.chdir(photos)
    for reference in (str(photos / "red.png"), "red.png", "~/red.png", "../photos/./red.png"):
        found = ask(reference, catalog, typed=True)
        assert isinstance(found, LoadedImage)
        assert found.record.source == str(photos / "red.png")


def test_a_file_whose_name_looks_like_an_id_is_still_a_file(catalog, photos, monkeypatch):
    monkeypatch.chdir(photos)
    (photos / "cafe00").write_bytes(png("green"))
    assert isinstance(ask("cafe00", catalog, typed=True), LoadedImage)


def test_a_file_that_is_missing_or_no_picture_is_named(catalog, photos):
    with pytest.raises(NotFoundError, match=r"no file .*none\.png"):
        ask(str(photos / "none.png"), catalog, typed=True)
    (photos / "words.png").write_text("words")
    with pytest.raises(BadImageError, match=r"words\.png is no usable picture: not a picture in a known format\."):
        ask(str(photos / "words.png"), catalog, typed=True)


# --- files, for an agent


def test_an_agent_may_name_the_gallerys_own_files(catalog, photos):
    record = put(catalog, photos / "red.png")
    assert ask(str(photos / "red.png"), catalog) == record
    assert ask(str(photos / ".." / "photos" / "red.png"), catalog) == record


def test_a_file_of_the_gallery_that_changed_is_read_again(catalog, photos):
    put(catalog, photos / "red.png")
    (photos / "red.png").write_bytes(png("green") + b"more")
    found = ask(str(photos / "red.png"), catalog)
    assert isinstance(found, LoadedImage)
    assert found.record.id == image_id(png("green") + b"more")


def test_a_file_of_the_gallery_that_became_a_link_leads_nowhere(catalog, photos, tmp_path):
    put(catalog, photos / "red.png")
    (tmp_path / "secret.png").write_bytes(png("black"))
    (photos / "red.png").unlink()
    (photos / "red.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(NotAllowedError):
        ask(str(photos / "red.png"), catalog)


def test_an_agent_may_name_files_in_allowed_folders(catalog, photos):
    found = ask(str(photos / "red.png"), catalog, allow_folders=(photos,))
    assert isinstance(found, LoadedImage)
    with pytest.raises(NotFoundError, match="none"):
        ask(str(photos / "none.png"), catalog, allow_folders=(photos,))


def test_an_allowed_folder_is_left_neither_by_dots_nor_by_links_nor_by_a_longer_name(catalog, photos, tmp_path):
    allowed, beside = tmp_path / "open", tmp_path / "open-not"
    for folder in (allowed, beside):
        folder.mkdir()
        (folder / "a.png").write_bytes(png("red"))
    (allowed / "file.png").symlink_to(photos / "red.png")
    (allowed / "folder").symlink_to(photos)
    for inside in ("../photos/red.png", "file.png", "folder/red.png", "../open-not/a.png", "folder/../photos/red.png"):
        with pytest.raises(NotAllowedError):
            ask(f"{allowed}/{inside}", catalog, allow_folders=(allowed,))
    assert isinstance(ask(f"{allowed}/a.png", catalog, allow_folders=(allowed,)), LoadedImage)


def test_a_refusal_does_not_tell_whether_a_file_exists(catalog, photos, tmp_path):
    def answer(reference: str) -> str:
        with pytest.raises(NotAllowedError) as caught:
            ask(reference, catalog, allow_folders=(tmp_path / "open",))
        return str(caught.value).replace(Path(reference).name, "FILE")

    long_name = "x" * 300
    there, not_there = str(photos / "red.png"), str(photos / "not.png")
    assert answer(there) == answer(not_there)
    for name in ("/etc/passwd", "/etc/none", "~/x.png", "~nobody-here/x.png", "red.png", f"{photos}/{long_name}/a"):
        answer(name)


@pytest.mark.parametrize("typed", [True, False])
@given(reference=st.text() | st.text("/.~:%abcdef0\n").map(lambda text: text + "/x.png"))
def test_whatever_the_reference_the_answer_is_a_picture_or_one_line(tmp_path_factory, reference, typed):
    with Catalog.open(tmp_path_factory.getbasetemp() / "any") as catalog, pytest.raises(IPCIRError) as caught:
        ask(reference, catalog, typed=typed)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


# --- for programs


def test_a_path_names_a_file_and_nothing_else(catalog, photos, monkeypatch):
    monkeypatch.chdir(photos)
    put(catalog, photos / "red.png")
    id_ = load(photos / "red.png", Settings()).record.id
    found = resolve(Path("red.png"), catalog, Settings())
    assert isinstance(found, LoadedImage)
    assert (found.record.id, found.record.source) == (id_, str(photos / "red.png"))
    with pytest.raises(NotFoundError, match="no file"):
        resolve(Path(id_), catalog, Settings())


def in_memory(image: Image.Image, catalog: Catalog, **chosen: object) -> LoadedImage:
    found = resolve(image, catalog, Settings(**chosen))
    assert isinstance(found, LoadedImage)
    return found


def test_an_image_is_known_by_its_pixels(catalog):
    red, blue = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    found = in_memory(red, catalog)
    assert found.record.source == f"image:{found.record.id}"
    assert (found.record.width, found.record.height, found.record.bytes) == (8, 6, 8 * 6 * 3)
    assert re.fullmatch("[0-9a-f]{16}", found.record.id)
    assert in_memory(red.convert("P"), catalog).record.id == found.record.id, "however it is stored"
    others = (blue, red.resize((6, 8)), red.resize((9, 6)))
    assert found.record.id not in {in_memory(other, catalog).record.id for other in others}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F"])
def test_an_image_has_the_pixels_of_its_file(catalog, tmp_path, mode):
    rng = np.random.default_rng(5)
    if mode in ("I", "I;16", "F"):
        kinds = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
        image = Image.fromarray(rng.integers(0, 60_000, (1_100, 1_200)).astype(kinds[mode]))
    else:
        image = Image.fromarray(rng.integers(0, 255, (1_100, 1_200, 4), dtype=np.uint8), "RGBA").convert(mode)
    file = tmp_path / ("picture.tif" if mode in ("CMYK", "I", "F") else "picture.png")
    image.save(file)
    before = image.tobytes()
    assert in_memory(image, catalog).pixels.tobytes() == load(file, Settings()).pixels.tobytes()
    assert image.tobytes() == before, "the caller's own image stays as it is"


def test_an_image_is_turned_upright_like_its_file(catalog, tmp_path):
    image = Image.fromarray(np.random.default_rng(6).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        found = in_memory(turned, catalog)
    assert found.pixels.size == (40, 60) == (found.record.width, found.record.height)
    assert found.pixels.tobytes() == load(tmp_path / "turned.png", Settings()).pixels.tobytes()


def test_an_image_that_is_too_large_or_broken_is_refused_in_one_line(catalog, tmp_path):
    with pytest.raises(BadImageError, match="IPCIR_MAX_PIXELS"):
        in_memory(Image.new("L", (20, 20)), catalog, max_pixels=399)
    (tmp_path / "cut.png").write_bytes(png("red")[:-30])
    with Image.open(tmp_path / "cut.png") as cut, pytest.raises(BadImageError, match="reference image is no usable"):
        in_memory(cut, catalog)


def test_a_rank_names_a_hit_and_other_references_stay(catalog):
    hits = tuple(Hit(id=f"{i:016x}", rank=i, score=1.0, source="x") for i in (1, 2))
    turn = Turn(id="t1", query=ComposedQuery(modification="blue"), hits=hits, created="")
    assert [hit_id(name, turn) for name in ("2", "#1", " 02 ")] == [hits[1].id, hits[0].id, hits[1].id]
    for other in ("abcdef", "12345", Path("2"), Image.new("RGB", (1, 1))):
        assert hit_id(other, turn) is other
    with pytest.raises(NotFoundError, match="Turn t1 has no hit 3: it has 2"):
        hit_id("3", turn)


# --- typed by a person


def test_what_a_person_typed_is_a_file_unless_it_can_only_be_something_else(catalog):
    pretend(catalog, "abcdef0123456789")
    for text in ("abcdef01", "ABCDEF0123456789", "3", "#12", "data:image/png;base64,aa", "https://a.example/b.png", ""):
        assert local_reference(text, catalog) == text
    for text in ("red.png", "~/red.png", "../x/red.png", "abcde", "ffffffff", "the red one", "12345.png"):
        assert local_reference(text, catalog) == Path(text)


# --- data URIs


def test_a_data_uri_is_a_picture(catalog):
    uri = "data:image/png;base64," + base64.encodebytes(png("red")).decode()
    found = ask(uri, catalog)
    assert isinstance(found, LoadedImage)
    assert found.record.id == image_id(png("red"))
    assert found.record.source == f"data:{found.record.id}"


@pytest.mark.parametrize("uri", ["data:image/png,abc", "data:;base64,***", "data:", "data:image/png;base64,abc"])
def test_a_data_uri_of_another_kind_is_an_invalid_request(catalog, uri):
    with pytest.raises(InvalidRequestError, match="data: URI"):
        ask(uri, catalog)


def test_a_long_data_uri_is_refused_before_it_is_decoded(catalog, monkeypatch):
    monkeypatch.setattr(base64, "b64decode", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(BadImageError, match="IPCIR_MAX_BYTES"):
        ask("data:;base64," + "A" * 10_000, catalog, max_bytes=1_000)


# --- URLs


def anywhere(_: fetching.Address) -> bool:
    return True


def test_urls_are_off_unless_switched_on(catalog):
    with pytest.raises(NotAllowedError, match="IPCIR_ALLOW_URLS"):
        ask("http://pictures.example/a.png", catalog, typed=True)


def test_a_url_gives_a_picture(catalog, httpserver: HTTPServer):
    httpserver.expect_request("/a.png").respond_with_data(png("red"))
    settings = Settings(allow_urls=True)
    url = httpserver.url_for("/a.png")
    found = resolve(url, catalog, settings, fetch=lambda u, most: fetch(u, most, allowed=anywhere))
    assert isinstance(found, LoadedImage)
    assert (found.record.id, found.record.source) == (image_id(png("red")), url)


def test_a_url_of_this_machine_is_refused_before_anything_is_sent(catalog, httpserver: HTTPServer):
    for host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"):
        with pytest.raises(NotAllowedError, match="address"):
            ask(f"http://{host}:{httpserver.port}/a.png", catalog, allow_urls=True)
    assert httpserver.log == []


def test_one_private_address_among_several_is_enough_to_refuse(monkeypatch):
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(NotAllowedError):
        fetch("http://two-faced.example/", 100)


def test_the_connection_goes_to_the_address_that_was_checked(httpserver: HTTPServer, monkeypatch):
    httpserver.expect_request("/", headers={"Host": f"pictures.example:{httpserver.port}"}).respond_with_data("picture")
    asked = []

    def lookup(host, port, *_, **__):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert fetch(f"http://pictures.example:{httpserver.port}/", 100, allowed=anywhere) == b"picture"
    assert asked == ["pictures.example", "127.0.0.1"]  # the name once, then only the address itself


def test_every_redirect_is_checked_again(httpserver: HTTPServer):
    seen = []

    def loopback_but_not_2(address):
        seen.append(str(address))
        return str(address) != "127.0.0.2"

    target = f"http://127.0.0.2:{httpserver.port}/secret"
    httpserver.expect_request("/a").respond_with_response(Response(status=302, headers={"Location": target}))
    with pytest.raises(NotAllowedError):
        fetch(f"http://127.0.0.1:{httpserver.port}/a", 100, allowed=loopback_but_not_2)
    assert seen == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://user:word@127.0.0.1/"])
def test_a_redirect_cannot_change_the_kind_of_url(httpserver: HTTPServer, target):
    httpserver.expect_request("/a").respond_with_response(Response(status=302, headers={"Location": target}))
    with pytest.raises((NotAllowedError, NotFoundError)):
        fetch(httpserver.url_for("/a"), 100, allowed=anywhere)


def test_three_redirects_are_followed_and_no_more(httpserver: HTTPServer):
    for step in range(4):
        answer = Response(status=302, headers={"Location": f"/{step + 1}"})
        httpserver.expect_request(f"/{step}").respond_with_response(answer)
    httpserver.expect_request("/4").respond_with_data("there")
    assert fetch(httpserver.url_for("/1"), 100, allowed=anywhere) == b"there"
    with pytest.raises(NotFoundError, match="redirects"):
        fetch(httpserver.url_for("/0"), 100, allowed=anywhere)


def test_bytes_are_capped_while_they_come(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_response(Response(b"x" * 1_000 for _ in range(100)))
    with pytest.raises(BadImageError, match="IPCIR_MAX_BYTES"):
        fetch(httpserver.url_for("/"), 5_000, allowed=anywhere)


@pytest.mark.parametrize("status", [204, 401, 404, 500])
def test_an_answer_without_a_picture_is_not_found(httpserver: HTTPServer, status):
    httpserver.expect_request("/").respond_with_data("", status=status)
    with pytest.raises(NotFoundError, match=str(status)):
        fetch(httpserver.url_for("/"), 100, allowed=anywhere)


def test_a_server_that_drips_bytes_ends_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(NotFoundError, match="ReadTimeout"):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/", 100, allowed=anywhere, seconds=0.3)


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotFoundError, match="ConnectError"):
        fetch(f"http://127.0.0.1:{port}/", 100, allowed=anywhere)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https://a..b/", "http://" + "a" * 300 + "/"])
def test_what_is_no_url_is_not_found(catalog, url):
    with pytest.raises((NotFoundError, NotAllowedError)):
        ask(url, catalog, allow_urls=True)


PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "192.168.1.1", "fc00::1", "fec0::1", "::ffff:10.0.0.1"]
LOCAL = ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1"]
METADATA = ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"]
SPECIAL = [
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "2001:db8::1",
]
TRANSLATED = ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::1", "2001:0:1::1", "::7f00:1"]


@pytest.mark.parametrize("address", PUBLIC + PRIVATE + LOCAL + METADATA + SPECIAL + TRANSLATED)
def test_which_addresses_are_of_the_open_internet(address):
    assert is_public(ipaddress.ip_address(address)) == (address in PUBLIC)


def test_proxies_of_the_environment_are_not_asked(httpserver: HTTPServer, monkeypatch):
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/").respond_with_data("direct")
    assert fetch(httpserver.url_for("/"), 100, allowed=anywhere) == b"direct"


def test_a_very_long_name_that_a_person_typed_is_said_to_be_too_long(catalog):
    with pytest.raises(InvalidRequestError, match="characters"):
        resolve(local_reference("a/" * 30_000, catalog), catalog, Settings())
