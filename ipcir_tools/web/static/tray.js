// What the next search starts from and leans to: references with notes, liked and disliked pictures.
import { $, el, icon } from "./tools.js";

const KEY = `tray:${location.pathname}`;
const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
export const tray = kept || { references: [], liked: [], disliked: [] };
const listeners = [];
export const onTray = (listener) => listeners.push(listener);
export const isEmpty = () => !(tray.references.length || tray.liked.length || tray.disliked.length);

export function forgetTray() {
  sessionStorage.removeItem(KEY);
}

function changed() {
  sessionStorage.setItem(KEY, JSON.stringify({ ...tray, references: tray.references.filter((each) => each.id) }));
  inPlace(draw);
  listeners.forEach((listener) => listener());
}

// The tray grows and shrinks above the hits: the page scrolls by as much, so that none moves away from the pointer.
function inPlace(change) {
  const hits = $("#hits");
  const top = hits?.getBoundingClientRect().top;
  change();
  if (hits) scrollBy(0, hits.getBoundingClientRect().top - top);
}

export function addReference(reference) {
  if (tray.references.some((each) => each.id && each.id === reference.id)) return;
  tray.references.push(reference);
  changed();
}

export function startFrom(id) {
  tray.references = [{ id, note: "" }];
  changed();
}

export function settle(reference, id) {
  if (id && !tray.references.some((each) => each.id === id)) Object.assign(reference, { id });
  else tray.references = tray.references.filter((each) => each !== reference);
  changed();
}

// Turns a judgement on, off, or into the other one.
export function judge(id, kind) {
  const other = kind === "liked" ? "disliked" : "liked";
  const had = tray[kind].includes(id);
  tray[kind] = tray[kind].filter((each) => each !== id);
  tray[other] = tray[other].filter((each) => each !== id);
  if (!had) tray[kind].push(id);
  changed();
}

// What a picture is called where the page shows it already: in the grid, among the samples.
function nameOf(id) {
  return $(`img[src$="/${id}"]:not([alt=""])`)?.alt.replace(/^Start from /, "") || "";
}

function picture(id, alt) {
  return id ? el("img", { src: `/thumb/s/${id}`, alt, width: 44, height: 44 }) : el("span", { className: "waiting" }, [el("span", { className: "spinner" })]);
}

function referenceItem(each) {
  const note = el("input", { value: each.note, placeholder: "only its colours?", maxLength: 200, oninput: () => { each.note = note.value; sessionStorage.setItem(KEY, JSON.stringify(tray)); } });
  note.setAttribute("aria-label", "What is meant of this picture");
  const drop = icon("close", "Leave this reference out", { onclick: () => { tray.references = tray.references.filter((one) => one !== each); changed(); } });
  const name = each.name || nameOf(each.id);
  return el("li", { title: name, data: { reference: each.id || "" } }, [picture(each.id, name ? `Reference: ${name}` : "Reference"), note, drop]);
}

function judgedItem(id, kind) {
  const words = kind === "liked" ? "more like this" : "less like this";
  const name = nameOf(id);
  return el("li", { title: name, data: { [kind]: id } }, [picture(id, name), el("span", { textContent: words }), icon("close", `Not ${words}: ${name}`, { onclick: () => judge(id, kind) })]);
}

export function draw() {
  const list = $("#tray");
  if (!list) return;
  list.replaceChildren(...tray.references.map(referenceItem), ...tray.liked.map((id) => judgedItem(id, "liked")), ...tray.disliked.map((id) => judgedItem(id, "disliked")));
  list.hidden = isEmpty();
  list.scrollTo(list.scrollWidth, list.scrollHeight); // to what was added last
  if ($("#from")) $("#from").hidden = tray.references.length > 0; // these take its place
}
