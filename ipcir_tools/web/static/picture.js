// One picture large, in a dialog over the page; arrows go to the hits beside it.
import { $, $$, say, send, sendJson } from "./tools.js";
import { judge, startFrom } from "./tray.js";

let shown = null;

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("The path is copied.");
  } catch {
    getSelection().selectAllChildren($("#path"));
    say("Press Ctrl+C: the path is selected.");
  }
}

function neighbour(step) {
  const cards = $$(".card");
  return cards[cards.findIndex((card) => card.dataset.id === shown) + step] || null;
}

export async function openPicture(id, turn) {
  const dialog = $("#picture");
  let html;
  try {
    html = await (await send("GET", `/picture/${id}?part=1${turn ? `&turn=${turn}` : ""}`)).text();
  } catch (error) { return say(error.message); }
  shown = id;
  dialog.innerHTML = html;
  const bar = document.createElement("div");
  bar.className = "tools";
  for (const [name, label, step] of [["left", "The hit before", -1], ["right", "The next hit", 1]]) {
    if (neighbour(step) && $(`.card[data-id="${id}"]`)) bar.append(tool(name, label, () => openPicture(neighbour(step).dataset.id, turn)));
  }
  bar.append(tool("close", "Close", () => dialog.close()));
  dialog.prepend(bar);
  wire(dialog, id);
  if (!dialog.open) dialog.showModal();
  $(".tools button:last-child", dialog).focus();
}

function tool(name, label, onclick) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "icon", title: label, onclick });
  button.dataset.icon = name;
  button.setAttribute("aria-label", label);
  return button;
}

export function wire(within, id) {
  for (const button of $$("[data-shot]", within)) button.onclick = () => {
    const start = button.dataset.shot === "start";
    if (!$("#ask")) return start && location.assign(`/?start=${id}`);
    if (start) startFrom(id); else judge(id, `${button.dataset.shot}d`);
    $("#picture").close();
    $("#words").focus();
  };
  for (const button of $$("[data-copy]", within)) button.onclick = () => copyText(button.dataset.copy);
  for (const button of $$("[data-remove]", within)) button.onclick = async () => {
    try { await sendJson("POST", "/api/remove", { ids: [button.dataset.remove] }); say("It is out of the gallery."); $("#picture").close(); } catch (error) { say(error.message); }
  };
}

export function watchPictures() {
  const dialog = $("#picture");
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("a.tile, a[data-open]");
    if (!link) return;
    event.preventDefault();
    const card = link.closest(".card");
    openPicture(card?.dataset.id || link.dataset.open, card && $("#ask")?.dataset.turn);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { $(`.card[data-id="${shown}"] .tile`)?.focus(); dialog.replaceChildren(); });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && neighbour(step) && $(`.card[data-id="${shown}"]`)) openPicture(neighbour(step).dataset.id, $("#ask")?.dataset.turn);
  });
  const alone = $(".alone .shot");
  if (alone) wire(alone, alone.dataset.id);
}
