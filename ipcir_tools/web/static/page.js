// Wires the page: each part finds its own elements and does nothing where there are none.
import { $, $$ } from "./tools.js";
import { watchAsk } from "./ask.js";
import { watchGrid } from "./grid.js";
import { draw, startFrom } from "./tray.js";
import { watchUploads } from "./upload.js";

function watchTheme() {
  $("#theme").onclick = () => {
    const root = document.documentElement;
    const isDark = getComputedStyle(root).colorScheme === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  };
}

watchTheme();
draw();
watchUploads();
watchAsk();
watchGrid();
for (const button of $$("[data-start]")) button.onclick = () => { startFrom(button.dataset.start); scrollTo({ top: 0, behavior: "smooth" }); $("#words").focus(); };
