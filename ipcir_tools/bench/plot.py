"""The document as one picture: bars for what was measured and for its peers, drawn by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ipcir_tools.files import output

OWN, PEER, LIMIT = "#2b6cb0", "#a0aec0", "#dd6b20"
INK, PALE = "#1a202c", "#718096"
WIDTH, HEIGHT, MARGIN, BAR = 860, 34, 28, 20
NAMES = 330
"""Width of the bars' names."""

Bar = tuple[str, float, str]
"""Name, value, colour."""
Panel = tuple[str, Sequence[Bar]]


def draw_plot(document: dict[str, Any], path: Path) -> None:
    """Write the plot as a PNG. Raises InvalidRequestError where the file cannot be written."""
    shown = panels(document)
    rows = sum(len(bars) + 2 for _, bars in shown) + 2
    picture = Image.new("RGB", (WIDTH + 2 * MARGIN, rows * HEIGHT + MARGIN), "white")
    pen, y = ImageDraw.Draw(picture), MARGIN
    about = document["machine"]
    _write(
        pen,
        (MARGIN, y),
        f"ipcir bench: {about.get('processor', 'unknown processor')}, {about.get('cores', '?')} cores",
        18,
    )
    pen.text((MARGIN, y + 24), "blue: this package, grey: peers, orange: limits", PALE, _font(13))
    y += 2 * HEIGHT
    for title, bars in shown:
        _write(pen, (MARGIN, y + 6), title, 15)
        y += HEIGHT
        longest = max((value for _, value, _ in bars), default=1.0) or 1.0
        for name, value, colour in bars:
            _bar(pen, y, name, value, value / longest, colour)
            y += HEIGHT
        y += HEIGHT // 2
    with output(path) as part:
        picture.crop((0, 0, picture.width, y + MARGIN // 2)).save(part, "PNG")


def panels(document: dict[str, Any]) -> list[Panel]:
    """Title and bars of each part that was measured."""
    made: list[Panel] = []
    if index := document.get("index"):
        large = index["large"]
        made.append(
            (
                "Indexing, pictures per second (longer is better)",
                [
                    (f"1024x768, this package ({index['dtype']})", index["images_per_s"], OWN),
                    ("1024x768, LangChain's parts", index["peer_per_s"], PEER),
                    ("bare forward pass, bfloat16", index["bare_bfloat16_per_s"], LIMIT),
                    ("bare forward pass, float32", index["bare_float32_per_s"], LIMIT),
                    ("4000x3000, this package", large["images_per_s"], OWN),
                    ("4000x3000, LangChain's parts", large["peer_per_s"], PEER),
                ],
            )
        )
    for each in document.get("query", []):
        made.append(
            (
                f"Searching {each['n']:,} pictures, median milliseconds (shorter is better)",
                [
                    ("a search, words known", each["p50_ms"], OWN),
                    ("nearest pictures alone", each["nearest_p50_ms"], OWN),
                    ("exact search alone", each["exact_p50_ms"], PEER),
                    (f"Chroma alone, recall {each['chroma_recall_at_10']:.2f}", each["chroma_p50_ms"], PEER),
                ],
            )
        )
    if callers := document.get("concurrency"):
        bars = [
            bar
            for each in callers
            for bar in (
                (f"{each['callers']} at a time, this package", each["searches_per_s"], OWN),
                (f"{each['callers']} at a time, embed_query + Chroma", each["peer_per_s"], PEER),
            )
        ]
        made.append(("Many callers, searches per second (longer is better)", bars))
    if updates := document.get("update"):
        made += [
            (title, [(f"{each['n']:,} pictures", each[name], OWN) for each in updates])
            for title, name in (("Adding 3 pictures, seconds", "add_3_s"), ("Opening, seconds", "open_s"))
        ]
    if memory := document.get("memory"):
        made.append(
            ("Memory while indexing, MB", [(f"{each['n']:,} pictures", each["peak_mb"], OWN) for each in memory])
        )
    return made


def _bar(pen: ImageDraw.ImageDraw, y: int, name: str, value: float, share: float, colour: str) -> None:
    left, room = MARGIN + NAMES, WIDTH - NAMES - 80
    pen.text((MARGIN + 12, y + 8), name, INK, _font(13))
    pen.rectangle((left, y + 6, left + max(1, round(room * share)), y + 6 + BAR), fill=colour)
    pen.text(
        (left + round(room * share) + 8, y + 8), f"{value:,.3g}" if value < 1_000 else f"{value:,.0f}", INK, _font(13)
    )


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int) -> None:
    pen.text(place, text, INK, _font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
