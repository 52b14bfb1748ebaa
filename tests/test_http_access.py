"""Who may call a server: names, origins, tokens."""

from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.http_access import Access, check_access, is_loopback

TOKEN = "a-token-of-many-characters"


def status(access: Access, host: str | None = "127.0.0.1:8765", **headers: str) -> int | None:
    pairs = [] if host is None else [(b"host", host.encode("latin-1"))]
    pairs += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    refusal = access.refusal(pairs)
    return refusal.status if refusal else None


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_a_server_answers_under_its_own_names(host):
    assert status(Access(port=8765), host) is None


@pytest.mark.parametrize(
    "host",
    [None, "", "127.0.0.1", "127.0.0.1:1", "localhost", "evil.example:8765", "127.0.0.1:8765.evil.example",
     "127.0.0.1.evil.example:8765", "localhost.evil.example:8765", "192.168.1.4:8765", "evil@127.0.0.1:8765",
     "127.0.0.1:8765@evil", "0.0.0.0:8765", "127.1:8765", "2130706433:8765", " 127.0.0.1:8765", "127.0.0.1:08765"],
)  # fmt: skip
def test_no_other_name_is_answered(host):
    assert status(Access(port=8765), host) == 421


def test_two_hosts_are_none():
    pairs = [(b"host", b"127.0.0.1:8765"), (b"host", b"127.0.0.1:8765")]
    assert Access(port=8765).refusal(pairs).status == 421


@given(st.text(alphabet="abcdef.:[]@/\\0123456789 ", max_size=30))
def test_a_name_is_own_or_refused(host):
    own = {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}
    assert (status(Access(port=8765), host) is None) == (host in own)


def test_port_80_need_not_be_named():
    assert status(Access(port=80), "localhost") is None
    assert status(Access(port=8080), "localhost") == 421


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.168.1.4:8765", None), ("[fd00::4]:8765", None), ("192.168.1.4:1", 421), ("evil.example:8765", 421),
     ("photos.example", None), ("photos.example:8765", None), ("photos.example:443", 421), ("nas.example:443", None)],
)  # fmt: skip
def test_on_every_address_each_of_them_and_the_names_that_are_set_are_own(host, expected):
    access = Access("0.0.0.0", 8765, TOKEN, ("photos.example", "nas.example:443"))
    assert status(access, host, authorization=f"Bearer {TOKEN}") == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"origin": "http://127.0.0.1:8765"}, None),
        ({"origin": "http://localhost:8765"}, None),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://127.0.0.1:8765.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "file://"}, 403),
        ({"origin": ""}, 403),
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, None),
        ({"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, None),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, None),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}, 403),
    ],
)
def test_pages_of_other_places_are_refused(headers, expected):
    assert status(Access(port=8765), **headers) == expected


def test_an_origin_of_another_address_is_foreign_although_the_address_would_be_a_host():
    access = Access("0.0.0.0", 8765, TOKEN)
    bearer = f"Bearer {TOKEN}"
    assert status(access, "192.168.1.4:8765", authorization=bearer, origin="http://192.168.1.4:8765") is None
    assert status(access, "192.168.1.4:8765", authorization=bearer, origin="http://192.168.1.66:8765") == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, None),
        ({"authorization": f"bearer  {TOKEN} "}, None),
        ({}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Bearer \xe4\xff"}, 401),
        ({"cookie": "ipcir-8765="}, 401),
        ({"cookie": f"ipcir-8765={TOKEN}"}, 401),
    ],
)
def test_a_token_is_needed_where_there_is_one(headers, expected):
    assert status(Access(port=8765, token=TOKEN), **headers) == expected


def test_a_cookie_stands_for_the_token_and_does_not_hold_it():
    access = Access(port=8765, token=TOKEN)
    assert TOKEN not in access.cookie
    assert status(access, cookie=f"theme=dark; {access.cookie}") is None
    assert status(Access(port=8765, token=TOKEN + "2"), cookie=access.cookie) == 401
    assert status(Access(port=1, token=TOKEN), "localhost:1", cookie=access.cookie) == 401


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or False)
    access = Access(port=8765, token=TOKEN)
    assert status(access, authorization=f"Bearer {TOKEN}") == 401
    assert status(access, cookie=access.cookie) == 401
    assert len(compared) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_token(host):
    assert is_loopback(host)
    check_access(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "photos.example", "", "127.0.0.1.example"])
def test_any_other_address_does(host):
    with pytest.raises(InvalidRequestError, match=re.escape(f"Other machines reach {host or 'every address'}, so")):
        check_access(host, None)
    check_access(host, TOKEN)


@pytest.mark.parametrize("token", ["", "short", "a token with spaces in it", "schlüsselschlüsselschlüssel", "x" * 15])
def test_a_token_that_can_be_guessed_or_not_sent_is_refused(token):
    with pytest.raises(InvalidRequestError, match="A token has 16 or more characters"):
        check_access("127.0.0.1", token)
