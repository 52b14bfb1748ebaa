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

// Gives a card its buttons. Cards get them when they come to rest in sight, under the pointer or the keyboard: what
// flies by in a quick scroll is a picture and its words alone.
function furnish(card) {
  const place = $(".marks", card);
  if (!place || place.firstChild) return;
  place.append($("#marks").content.cloneNode(true));
  for (const button of $$("button", place)) button.setAttribute("aria-label", `${button.getAttribute("aria-label")} ${card.dataset.rank}`);
  paint(card);
}

const REST = 120; // milliseconds without a card that comes or goes

function furnishSeen(cards) {
  const seen = new Set();
  let timer;
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) seen.add(target); else seen.delete(target);
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const card of seen) { furnish(card); observer.unobserve(card); }
      seen.clear();
    }, REST);
  });
  cards.forEach((card) => observer.observe(card));
}

function activate(card) {
  furnish(card);
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
  furnish(card);
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

// Shows what is marked on one card.
function paint(card) {
  const { id } = card.dataset;
  const liked = tray.liked.includes(id);
  const disliked = tray.disliked.includes(id);
  if (liked || disliked) furnish(card);
  $('[data-do="like"]', card)?.setAttribute("aria-pressed", liked);
  $('[data-do="dislike"]', card)?.setAttribute("aria-pressed", disliked);
  card.classList.toggle("marked", liked || disliked);
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
  grid.addEventListener("pointerover", (event) => {
    const card = event.target.closest(".card");
    if (card) furnish(card);
    const score = event.target.closest("[data-score]");
    if (score && !score.title) score.title = grid.dataset[score.dataset.score];
  });
  const cards = $$(".card", grid);
  const paintAll = () => cards.forEach(paint);
  furnishSeen(cards);
  activate(cards[0]);
  onTray(paintAll);
  paintAll();
}
