// Wires the page: each part finds its own elements and does nothing where there are none.
import { $, $$ } from "./tools.js";
import { watchAsk } from "./ask.js";
import { watchChips } from "./chips.js";
import { watchGallery } from "./gallery.js";
import { watchGrid } from "./grid.js";
import { watchIndexing } from "./indexing.js";
import { watchKeys } from "./keys.js";
import { watchPictures } from "./picture.js";
import { draw, startFrom } from "./tray.js";
import { watchTurn } from "./turn.js";
import { watchUploads } from "./upload.js";

function watchTheme() {
  $("#theme").onclick = () => {
    const root = document.documentElement;
    const isDark = getComputedStyle(root).colorScheme === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  };
}

function watchStart() {
  for (const button of $$("[data-start]")) button.onclick = () => { startFrom(button.dataset.start); scrollTo({ top: 0, behavior: "smooth" }); $("#words").focus(); };
  const start = new URLSearchParams(location.search).get("start");
  if (start && $("#ask")) { startFrom(start); history.replaceState(null, "", location.pathname); }
}

for (const watch of [watchTheme, draw, watchUploads, watchAsk, watchGrid, watchChips, watchPictures, watchTurn, watchGallery, watchIndexing, watchKeys, watchStart]) watch();
