// The hits: by pointer or by keyboard, judged, chosen, opened.
import { $, $$ } from "./tools.js";
import { judge, onTray, startFrom, tray } from "./tray.js";

export const chosen = new Set();
const KEYS = { l: "like", d: "dislike", s: "start", x: "select" };

function columns(cards) {
  const top = cards[0].offsetTop;
  const n = cards.findIndex((card) => card.offsetTop !== top);
  return n < 0 ? cards.length : n;
}

function activate(card) {
  for (const other of $$('.card [tabindex="0"]')) other.tabIndex = -1;
  for (const each of $$("a, button", card)) each.tabIndex = 0;
}

function move(card, event) {
  const cards = $$(".card");
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(cards), ArrowUp: -columns(cards) };
  const at = cards.indexOf(card);
  const to = { Home: 0, End: cards.length - 1 }[event.key] ?? at + (steps[event.key] ?? NaN);
  if (Number.isNaN(to)) return false;
  const next = cards[to];
  if (next) { activate(next); $(".tile", next).focus(); }
  return true;
}

export function act(what, card) {
  const { id } = card.dataset;
  if (what === "like") judge(id, "liked");
  if (what === "dislike") judge(id, "disliked");
  if (what === "start") { startFrom(id); $("#words").focus(); }
  if (what === "select") {
    if (!chosen.delete(id)) chosen.add(id);
    card.classList.toggle("chosen", chosen.has(id));
    $('[data-do="select"]', card).setAttribute("aria-pressed", chosen.has(id));
    dispatchEvent(new Event("chosen"));
  }
}

function show() {
  for (const card of $$(".card")) {
    const { id } = card.dataset;
    const liked = tray.liked.includes(id);
    const disliked = tray.disliked.includes(id);
    $('[data-do="like"]', card).setAttribute("aria-pressed", liked);
    $('[data-do="dislike"]', card).setAttribute("aria-pressed", disliked);
    card.classList.toggle("marked", liked || disliked);
  }
}

export function watchGrid() {
  const grid = $("#hits");
  if (!grid) return;
  grid.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) act(button.dataset.do, button.closest(".card"));
  });
  grid.addEventListener("focusin", (event) => activate(event.target.closest(".card")));
  grid.addEventListener("keydown", (event) => {
    const card = event.target.closest(".card");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move(card, event)) event.preventDefault();
    else if (KEYS[event.key]) { event.preventDefault(); act(KEYS[event.key], card); }
  });
  activate($(".card", grid));
  onTray(show);
  show();
}
