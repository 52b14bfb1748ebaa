// What can be done with a turn: undo, replay, export, a selection of its hits.
import { $, el, say, send, sendJson } from "./tools.js";
import { chosen } from "./grid.js";

export function openBox(title, children) {
  const box = $("#box");
  const close = el("button", { type: "button", className: "icon", title: "Close", data: { icon: "close" }, onclick: () => box.close() });
  close.setAttribute("aria-label", "Close");
  box.replaceChildren(el("div", { className: "head" }, [el("h2", { id: "box-title", textContent: title }), close]), ...children);
  if (!box.open) box.showModal();
}

async function replay(turn) {
  say("Answering it again …");
  try {
    const { same, differences } = await sendJson("POST", `/api/replay/${turn}`);
    if (same) return say("Answered again: every turn is as it was.");
    openBox("What is different now", [el("ul", { className: "plain" }, differences.map((each) =>
      el("li", {}, [el("b", { textContent: each.what }), el("p", { className: "faint", textContent: `before: ${each.stored}` }), el("p", { textContent: `now: ${each.now}` })])))]);
  } catch (error) { say(error.message); }
}

async function save(turn, kind, ids) {
  try {
    const blob = await (await send("POST", `/export/${turn}.${kind}`, { ids })).blob();
    const href = URL.createObjectURL(blob);
    el("a", { href, download: `${turn}.${kind}` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
  } catch (error) { say(error.message); }
}

function exportBox(turn) {
  const ids = [...chosen];
  const to = el("input", { id: "export-to", placeholder: "~/hits", required: true });
  const folder = el("form", { className: "line" }, [to, el("button", { className: "go", textContent: "Copy" })]);
  folder.onsubmit = async (event) => {
    event.preventDefault();
    try {
      const report = await sendJson("POST", `/api/export/${turn}`, { to: to.value, ids });
      $("#box").close();
      const skipped = report.skipped.length ? `, ${report.skipped.length} could not be` : "";
      const there = report.known && !report.written ? `${report.known} are in ${report.to} already` : `${report.written} copied to ${report.to}${report.known ? `, ${report.known} were there already` : ""}`;
      say(`${there}${skipped}.`);
    } catch (error) { say(error.message); }
  };
  const link = (kind, textContent) => el("button", { type: "button", className: "soft", textContent, onclick: () => save(turn, kind, ids) });
  openBox(ids.length ? `Take ${ids.length} along` : "Take the hits along", [
    el("p", { className: "faint", textContent: "As one file" }),
    el("div", { className: "row" }, [link("html", "A page that stands alone"), link("csv", "A table (CSV)"), link("json", "JSON")]),
    el("label", { className: "faint", htmlFor: "export-to", textContent: "Copies of the pictures, in a folder" }), folder,
  ]);
}

function showSelection(turn) {
  let bar = $("#selection");
  if (!chosen.size) return bar?.remove();
  if (!bar) {
    const act = (textContent, onclick) => el("button", { type: "button", className: "soft", textContent, onclick });
    bar = el("div", { id: "selection", className: "selection", role: "region" }, [
      el("span", { role: "status" }), act("Export", () => exportBox(turn)),
      act("Clear", () => { for (const id of [...chosen]) $(`.card[data-id="${id}"] [data-do="select"]`).click(); }),
    ]);
    bar.setAttribute("aria-label", "Selected pictures");
    $(".bar").prepend(bar); // on a phone it stands on the line, on a desk it floats
  }
  $("span", bar).textContent = `${chosen.size} selected`;
}

export function watchTurn() {
  const actions = $("#actions");
  if (!actions) return;
  const { turn, parent } = actions.dataset;
  $("#replay").onclick = () => replay(turn);
  $("#export").onclick = () => exportBox(turn);
  addEventListener("chosen", () => showSelection(turn));
  document.addEventListener("keydown", (event) => {
    const typing = /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName) && document.activeElement.value;
    if ((event.key === "u" || (event.key === "z" && (event.ctrlKey || event.metaKey))) && !typing && !$("dialog[open]") && parent && !event.altKey && document.activeElement.id !== "words") {
      event.preventDefault();
      location.assign(`/turn/${parent}`);
    }
    if (event.key === "/" && document.activeElement.id !== "words" && !typing) { event.preventDefault(); $("#words").focus(); }
  });
  const current = $('.node[aria-current="step"]');
  if (current) {  // into the middle of the strip
    const strip = $(".strip"), seen = strip.getBoundingClientRect(), place = current.getBoundingClientRect();
    strip.scrollLeft += place.left - seen.left - (seen.width - place.width) / 2;
    strip.scrollTop += place.top - seen.top - (seen.height - place.height) / 2;
  }
}
