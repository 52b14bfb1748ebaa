// What the keys do.
import { $, el } from "./tools.js";
import { openBox } from "./turn.js";

const KEYS = [
  ["/", "go to the line"], ["Enter", "search; on a picture, open it"], ["Arrows", "move among the pictures, also among large ones"],
  ["L  D", "like, dislike a picture"], ["S", "start from it"], ["X", "select it"], ["U", "back to the turn before"], ["Esc", "close what is open"], ["?", "this list"],
];

function show() {
  openBox("Keys", [el("dl", { className: "keys" }, KEYS.flatMap(([key, what]) => [el("dt", {}, key.split("  ").map((textContent) => el("kbd", { textContent }))), el("dd", { textContent: what })]))]);
}

export function watchKeys() {
  $("#keys").onclick = show;
  document.addEventListener("keydown", (event) => {
    const typing = /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName);
    if (event.key === "?" && (!typing || (document.activeElement.id === "words" && !$("#words").value))) { event.preventDefault(); show(); }
  });
}
