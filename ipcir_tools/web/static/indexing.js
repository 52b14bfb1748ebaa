// Adding folders: the run belongs to the program, so the page only asks how far it is.
import { $, $$, el, say, sendJson } from "./tools.js";

let before = null;

function timeLeft(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `, ${seconds} s left`;
  return seconds < 5400 ? `, ${Math.round(seconds / 60)} min left` : `, ${(seconds / 3600).toFixed(1)} h left`;
}

function draw(state) {
  const pill = $("#indexing-pill");
  const isCounting = state.total && state.step !== "scanning" && state.step !== "starting"; // before, models are made ready
  const share = isCounting ? state.done / state.total : 0;
  pill.hidden = !state.running;
  pill.textContent = state.running ? `Adding ${isCounting ? `${Math.floor(share * 100)} %` : "…"}` : "";
  const box = $("#indexing");
  if (!box) return;
  box.hidden = !state.running && !state.told && !state.error;
  if (state.running) {
    if (!$("progress", box)) {
      box.replaceChildren(el("p", {}, [el("b"), el("span", { className: "faint" })]), el("progress", { max: 1, ariaLabel: "Adding pictures" }),
        el("div", { className: "row" }, [el("span", { className: "faint", textContent: "It goes on when you close this page." }), el("button", { type: "button", className: "soft", textContent: "Stop", onclick: () => sendJson("DELETE", "/api/index").then(draw) })]));
    }
    const rate = state.rate ? ` · ${state.rate >= 10 ? Math.round(state.rate) : state.rate.toFixed(1)} a second${timeLeft(state.left)}` : "";
    $("b", box).textContent = isCounting ? `${state.step[0].toUpperCase()}${state.step.slice(1)} ` : "Getting ready ";
    $("p span", box).textContent = isCounting ? `${state.done.toLocaleString("en")} of ${state.total.toLocaleString("en")}${rate}` : state.total ? `${state.total.toLocaleString("en")} found` : state.folder;
    if (state.download) $("p span", box).textContent = state.download;
    if (state.size && $(".row > span", box) && document.body.classList.contains("start")) $(".row > span", box).replaceWith(el("a", { href: "/", textContent: "Search what is here already" }));
    const bar = $("progress", box);
    if (isCounting) bar.value = share; else bar.removeAttribute("value");
  } else {
    const skipped = state.skipped?.length ? [el("details", {}, [el("summary", { textContent: "What was skipped" }), el("ul", { className: "plain" }, state.skipped.map((textContent) => el("li", { textContent })))])] : [];
    box.replaceChildren(el("p", { className: state.error ? "warn" : "", textContent: state.error || state.told }), ...skipped);
  }
}

async function look() {
  const state = await sendJson("GET", "/api/index").catch(() => null);
  if (!state) return setTimeout(look, 5000);
  if (before?.running && !state.running) {
    if (!$("#index")) say(state.error || state.told);
    else if (state.added || $("#size")) {
      if (!document.body.classList.contains("gallery")) sessionStorage.setItem("added", JSON.stringify({ told: state.told, skipped: state.skipped?.length }));
      setTimeout(() => location.assign(document.body.classList.contains("gallery") ? "/gallery" : "/"), 900);
    }
  }
  const shown = Number($(".count").textContent.replaceAll(",", ""));
  if (!before && !state.running && $("#index") && state.size !== shown) return location.reload(); // it ended while this page was on its way
  before = state;
  draw(state);
  if (state.running) setTimeout(look, 500);
}

async function begin(folders, captions) {
  try {
    before = await sendJson("POST", "/api/index", { folders, captions });
    draw(before);
    setTimeout(look, 200);
  } catch (error) { say(error.message); }
}

// What the run that filled the gallery ended with, on the page that it led to.
function sayAdded() {
  const added = JSON.parse(sessionStorage.getItem("added") || "null");
  sessionStorage.removeItem("added");
  if (added) say(added.told, added.skipped ? { label: "What was skipped", run: () => location.assign("/gallery#indexing") } : undefined);
}

export function watchIndexing() {
  sayAdded();
  look();
  const form = $("#index");
  if (!form) return;
  form.onsubmit = (event) => { event.preventDefault(); begin([form.elements.folder.value], form.elements.captions.checked); };
  form.elements.folder.oninput = async (event) => {
    const names = await sendJson("GET", `/api/folders?name=${encodeURIComponent(event.target.value)}`).catch(() => []);
    $("#folders").replaceChildren(...names.map((value) => el("option", { value })));
  };
  for (const button of $$("[data-index]")) button.onclick = () => begin([button.dataset.index], false);
}
