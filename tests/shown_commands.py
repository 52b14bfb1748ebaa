"""What commands in documents need beside a folder of pictures: a hub, a model, a server, a cluster, all on loopback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from hub_models import save_repositories
from hub_server import serving
from llm_server import LLMServer, imagining
from PIL import Image
from shown_world import World

from ipcir_tools.cli import viewer
from ipcir_tools.cli.output import terminal_pictures
from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import COLOURS
from ipcir_tools.models.presets import DEMO_FOLDER
from ipcir_tools.settings import Settings
from ipcir_tools.types import Reply

QUERY = {"reference": "a.jpg", "modification": "in blue", "targets": ["b.jpg"]}


# --- what a command needs: each changes the world, and may change the words


def without_end(world: World, words: list[str]) -> list[str]:
    """A server that answers one request, on a free port."""
    real = uvicorn.Server.run

    def run(server: uvicorn.Server, sockets: Any = None) -> None:
        port = sockets[0].getsockname()[1]
        thread = threading.Thread(target=real, args=(server, sockets))
        thread.start()
        while not server.started:
            time.sleep(0.02)
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code < 500
        server.should_exit = True
        thread.join()

    world.patch.setattr(uvicorn.Server, "run", run)
    world.patch.setenv("IPCIR_MCP_TOKEN", "0123456789abcdef")
    return [*words, "--port", "0", *(["--no-browser"] if words[0] == "ui" else [])]


def closed_input(world: World, words: list[str]) -> list[str]:
    """A client that goes away."""
    world.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    return words


def dialogue(world: World, words: list[str]) -> list[str]:
    """Somebody who types two lines."""
    world.patch.setattr(sys, "stdin", io.StringIO("in blue\nmore like 2\n"))
    return words


def interrupted(world: World, words: list[str]) -> list[str]:
    """Ctrl-C after the first look."""

    def watch(*_: object, **__: object) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    world.patch.setattr("watchfiles.watch", watch)
    return words


def language_model(world: World, words: list[str]) -> list[str]:
    """A server on loopback that writes what the rules would."""
    world.patch.setenv("IPCIR_LLM_BASE_URL", LLMServer(world.request.getfixturevalue("httpserver"), imagining).url)
    world.write("prices.json", {"gpt-5-mini": {"input": 0.25, "output": 2}})
    return words


def object_store(world: World, words: list[str]) -> list[str]:
    """An S3 server on loopback, whose bucket is indexed."""
    server = world.request.getfixturevalue("bucket")
    client = server.client()
    client.create_bucket(Bucket="bucket")
    for key in ("photos/a.jpg", "photos/2024/b.jpg", "photos/2024/c.jpg"):
        client.put_object(Bucket="bucket", Key=key, Body=(world.pictures / Path(key).name).read_bytes())
    if words[0] == "search":
        world("index", "s3://bucket/photos")
    return words


def kept_reply(world: World, words: list[str]) -> list[str]:
    """A reply to delete, and a person who means it."""
    world.patch.setattr(sys, "stdin", io.StringIO("y\n"))
    with Engine.open(Settings()) as engine:
        engine.catalog.put_reply(
            "key", Reply(text="x", kind="imagine", model="gpt-5-mini", prompt="imagine.simple@1#0")
        )
    return words


def backup(world: World, words: list[str]) -> list[str]:
    """A home of its own for what is brought back."""
    world("backup", "FILE")
    return [*words, "--home", "restored"]


def floral(world: World, words: list[str]) -> list[str]:
    """A turn that imagined a pattern."""
    return [world.turn("with a floral pattern") if word == "TURN" else word for word in words]


def seen(world: World, words: list[str]) -> list[str]:
    """No viewer opens."""
    world.patch.setattr(viewer, "open_file", lambda path: None)
    return ["show", f"3 of {world.turn()}", "--open"]


def terminal(world: World, words: list[str]) -> list[str]:
    """A terminal to draw in."""
    world.patch.setattr(terminal_pictures, "check_terminal", lambda: None)
    return words


def queries(world: World, words: list[str]) -> list[str]:
    """Queries of one's own."""
    world.write("queries.jsonl", *({**QUERY, "reference": each} for each in ("a.jpg", "c.jpg", "d.jpg")))
    return [str(world.pictures) if word == "FOLDER" else word for word in words]


def captions(world: World, words: list[str]) -> list[str]:
    """Captions in place of pictures, and a module with embeddings."""
    texts = {f"{n}.jpg": f"a {colour} shirt" for n, colour in enumerate(COLOURS)}
    world.write("captions.jsonl", *({"id": id_, "captions": [text]} for id_, text in texts.items()))
    asked = ({"reference": id_, "modification": "in blue", "targets": ["1.jpg"]} for id_ in ("0.jpg", "2.jpg"))
    world.write("queries.jsonl", *asked)
    module = "from langchain_core.embeddings import DeterministicFakeEmbedding\n\n\n"
    module += "class MyEmbeddings(DeterministicFakeEmbedding):\n    size: int = 16\n"
    (world.folder / "my_module.py").write_text(module)
    world.patch.syspath_prepend(world.folder)
    return words


def annotations(world: World, words: list[str]) -> list[str]:
    """CIRR's annotations and CIRCLED's dialogues over it, of the published schemas."""
    names = [f"dev-{i}-img0" for i in range(7)]
    splits, hard = {name: f"./dev/{name}.png" for name in names}, {names[1]: 1.0}
    query = {"pairid": 1, "reference": names[0], "target_hard": names[1], "target_soft": hard, "caption": "in blue"}
    query["img_set"] = {"id": 1, "members": names[:6], "reference_rank": 0, "target_rank": 1}
    rounds = [{"turn": i + 1, "reference_image_id": names[i], "relative_caption": "in blue"} for i in range(2)]
    session = {"session_id": "cirr_val_0000", "subset": "cirr_val", "ground_truth_ids": [names[-1]], "num_turns": 2}
    for name, content in {
        "CIRR/captions/cap.rc2.val.json": [query],
        "CIRR/image_splits/split.rc2.val.json": splits,
        "FOLDER/cirr/image_splits/split.rc2.val.json": splits,
        "FOLDER/cirr_val.json": [{**session, "turns": rounds}],
    }.items():
        (world.folder / name).parent.mkdir(parents=True, exist_ok=True)
        world.write(name, content)
    (world.folder / "PICTURES" / "dev").mkdir(parents=True)
    for name, colour in zip(names, COLOURS.values(), strict=False):
        Image.new("RGB", (48, 36), colour).save(world.folder / "PICTURES" / "dev" / f"{name}.png")
    return words


def lessons(world: World, words: list[str]) -> list[str]:
    """Pictures and triplets to learn from, in two steps."""
    world.write("TRIPLETS.jsonl", *({**QUERY, "reference": each} for each in 4 * ("a.jpg", "c.jpg", "d.jpg")))
    return [*(str(world.pictures) if word == "FOLDER" else word for word in words), "--steps", "2"]


def short_bench(world: World, words: list[str]) -> list[str]:
    """Small models, few pictures; and of all parts one (tests/bench has those that no other command names)."""
    words = words if words[1:] else [*words, "--only", "encode"]
    words = ["100" if before == "--sizes" else word for before, word in zip(["", *words], words, strict=False)]
    small = f"--encoder open_clip:local-dir:{DEMO_FOLDER / 'clip'} --pictures 4 --rounds 1 --queries 10"
    return [*words, *small.split(), *([] if "--sizes" in words else ["--sizes", "100"])]


def fleet(world: World, words: list[str]) -> list[str]:
    """A PostgreSQL and a Chroma server, and a drive that is there."""
    world.patch.setenv("IPCIR_CATALOG_URL", world.request.getfixturevalue("catalog_url"))
    world.patch.setenv("IPCIR_CHROMA_URL", world.request.getfixturevalue("chroma").url)
    if words[0] == "search":
        world("index", str(world.pictures))
    return [word.replace("/mnt/photos", str(world.pictures)) for word in words]


def hub(world: World, words: list[str]) -> list[str]:
    """A hub on loopback with tiny models under the names of the true ones, in a process that has loaded nothing yet."""
    with serving(save_repositories(world.folder / "hub")) as server:
        return in_a_process(world, words, server.environment(world.folder) | {"IPCIR_MODELS": "default"})


def ray(world: World, words: list[str]) -> list[str]:
    """Ray on this machine, and something to do for it."""
    Image.new("RGB", (48, 36), (1, 2, 3)).save(world.pictures / "new.png")
    return in_a_process(world, [word.replace("~", str(world.folder)) for word in words], {})


def in_a_process(world: World, words: list[str], environment: dict[str, str]) -> list[str]:
    """Run it there, so that nothing is left to do here."""
    command = [sys.executable, "-m", "ipcir_tools.cli.main", *words]
    ran = subprocess.run(command, env=dict(os.environ) | environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return []


Preparation = Callable[[World, list[str]], list[str]]
QUICK: dict[str, Preparation] = {
    "ui": without_end,
    "mcp --http": without_end,
    "mcp": closed_input,
    "chat": dialogue,
    "watch": interrupted,
    "prompts try": language_model,
    "index s3:": object_store,
    "search s3:": object_store,
    "cache clear": kept_reply,
    "restore": backup,
    "refine TURN --strike": floral,
    "show '3 of TURN": seen,
    "show TURN --show": terminal,
    "eval captions": captions,
}
SLOW: dict[str, Preparation] = {
    "models --get": hub,
    "index --ray": ray,
    "index '~/Pictures' --ray": ray,
    "models --cost": lambda _, words: words,
    "prompts compare": language_model,
    "demo": lambda _, words: words,
    "eval cirr": annotations,
    "eval circled": annotations,
    "eval queries": queries,
    "eval": lambda _, words: words,
    "tune": queries,
    "train": lessons,
    "bench": short_bench,
    "index /mnt": fleet,
    "search /mnt": fleet,
}
