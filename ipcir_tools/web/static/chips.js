// The words of the imagination: struck out, added, and searched with again.
import { $, $$, el, icon, say, sendJson } from "./tools.js";
import { forgetTray } from "./tray.js";

function again(list) {
  const kept = (kind) => $$(`.chip.${kind}:not(.off)`, list).map((chip) => chip.dataset.word);
  return sendJson("POST", `/api/imagined/${list.dataset.turn}`, { keep: kept("keep"), add: kept("add"), remove: kept("remove") });
}

function offer(list) {
  const isChanged = $(".chip.off, .chip.fresh", list) !== null;
  let button = $("#again");
  if (!isChanged) return button?.closest("li").remove();
  if (button) return;
  button = el("button", { type: "button", id: "again", className: "button small", textContent: "Search with these words" });
  button.onclick = async () => {
    button.disabled = true;
    try {
      const { turn } = await again(list);
      forgetTray();
      location.assign(`/turn/${turn}`);
    } catch (error) { say(error.message); button.disabled = false; }
  };
  list.append(el("li", {}, [button]));
}

function strike(chip, list) {
  if (chip.classList.contains("fresh")) chip.remove();
  else {
    const off = chip.classList.toggle("off");
    $("button", chip).setAttribute("aria-label", `${off ? "Keep" : "Strike out"} ${chip.dataset.word}`);
  }
  offer(list);
}

function chip(word, list) {
  const made = el("li", { className: "chip add fresh", data: { kind: "add", word } }, [el("span", { className: "sign", ariaHidden: "true" }), word]);
  made.append(icon("close", `Strike out ${word}`, { onclick: () => strike(made, list) }));
  return made;
}

function ask(list) {
  const opener = $("#add-word");
  const field = el("input", { className: "chip word", maxLength: 200, placeholder: "a word to add" });
  field.setAttribute("aria-label", "A word to add");
  const end = (add) => {
    const word = field.value.trim();
    field.onblur = null;
    field.replaceWith(opener);
    if (add && word && !$$(".chip", list).some((each) => each.dataset.word === word)) list.insertBefore(chip(word, list), opener.parentElement);
    offer(list);
    if (add && $("#again")) $("#again").focus(); else opener.focus();
  };
  field.onkeydown = (event) => { if (event.key === "Enter") { event.preventDefault(); end(true); } if (event.key === "Escape") end(false); };
  field.onblur = () => end(true);
  opener.replaceWith(field);
  field.focus();
}

export function watchChips() {
  const list = $("#chips");
  if (!list) return;
  for (const each of $$(".chip[data-word]", list)) $("button", each).onclick = () => strike(each, list);
  $("#add-word").onclick = () => ask(list);
}
