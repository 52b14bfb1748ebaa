"""A shared catalog on PostgreSQL is checked and mended as one in a file is."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_folder import draw
from sqlalchemy import text
from whole_gallery import hits, opened, settings

from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.settings import Settings

FIRST = "(SELECT min(item) FROM features WHERE item NOT LIKE 'text:%')"
DAMAGE = {
    "a bit of a feature": "UPDATE features SET vector = set_bit(vector, 77, 1 - get_bit(vector, 77)) "
    f"WHERE item = {FIRST}",
    "a short feature": f"UPDATE features SET vector = substr(vector, 1, 40) WHERE item = {FIRST}",
    "no feature": f"DELETE FROM features WHERE item = {FIRST}",
    "a caption": "UPDATE captions SET caption = 'a rad shirt' WHERE caption = 'a red shirt'",
    "a turn": "UPDATE turns SET body = replace(body, 'orange', 'orangf') "
    "WHERE serial = (SELECT max(serial) FROM turns)",
    "a turn cut": "UPDATE turns SET body = left(body, 40) WHERE serial = (SELECT max(serial) FROM turns)",
    "a record": "UPDATE pictures SET height = height + 1 WHERE id = (SELECT min(id) FROM pictures)",
    "a file": "DELETE FROM files WHERE path = (SELECT min(path) FROM files)",
    "a revision": "UPDATE meta SET value = 'x' WHERE key = 'revision'",
}


@pytest.fixture
def shared(catalog_url: str, tmp_path: Path) -> Settings:
    draw(tmp_path / "pictures")
    shared = settings(tmp_path / "home").model_copy(
        update={"catalog_url": Settings(catalog_url=catalog_url).catalog_url}
    )
    with opened(shared) as engine:
        engine.index([tmp_path / "pictures"], captions=True)
        engine.refine(engine.find("a red shirt").turn.id, "in orange", reference="1")
    return shared


def test_all_kinds_one_after_the_other(shared: Settings) -> None:
    with opened(shared) as engine:
        expected = hits(engine)
    assert check_gallery(shared, open_engine=opened).findings == ()
    for name, statement in DAMAGE.items():
        damage(shared, statement)
        assert check_gallery(shared, open_engine=opened).wrong, name
        report = check_gallery(shared, repair=True, open_engine=opened)
        assert report.wrong == 0, (name, report.findings)
        with opened(shared) as engine:
            assert hits(engine) == expected, name


def damage(shared: Settings, statement: str) -> None:
    with Engine.open(shared) as engine, engine.catalog.writing() as connection:
        assert connection.execute(text(statement)).rowcount
