// The line: what is asked becomes a round, its steps are shown, and the page goes to the turn that it made.
import { $, $$, lines, say, send } from "./tools.js";
import { forgetTray, isEmpty, onTray, tray } from "./tray.js";

const STEPS = { read: "Reading", caption: "Looking at the reference", imagine: "Imagining the picture", compose: "Putting it together", search: "Searching", ask: "Asking", answer: "Searching" };

function filterFields(form) {
  const read = (name) => form.elements[name]?.value || "";
  const parts = [];
  if (read("folder")) parts.push({ folder: read("folder") });
  if (read("since")) parts.push({ taken: { $gte: read("since") } });
  if (read("until")) parts.push({ taken: { $lte: read("until") } });
  if (read("orientation")) parts.push({ orientation: read("orientation") });
  if (read("format")) parts.push({ format: read("format") });
  if (read("megapixels")) parts.push({ megapixels: { $gte: Number(read("megapixels")) } });
  return parts.length > 1 ? { $and: parts } : parts[0] || {};
}

export function asked(form, text) {
  const other = $("[data-where]", form)?.dataset.where;
  const weight = form.elements.weight;
  return {
    text,
    turn: form.dataset.turn || null,
    round: form.dataset.round || null,
    references: tray.references.filter((each) => each.id).map(({ id, note }) => ({ id, note })),
    liked: tray.liked,
    disliked: tray.disliked,
    composer: form.elements.composer.value,
    weight: "own" in weight.dataset || Number(weight.value) !== Number(weight.dataset.shown) ? Number(weight.value) : null,
    k: Number(form.elements.k.value) || null,
    verify: form.elements.verify.value,
    where: other ? JSON.parse(other) : filterFields(form),
  };
}

// Goes where a round ended: to its turn, to its question, or says what was said.
export function follow(event) {
  if (event.error) return say(event.error);
  if (event.question) {
    location.assign(`${event.turn ? `/turn/${event.turn}` : "/"}?ask=${event.round}`);
  } else if (event.turn && !event.said) {
    forgetTray();
    sessionStorage.removeItem("draft");
    location.assign(`/turn/${event.turn}`);
  } else if (event.said) {
    say(event.said);
    if (!event.turn && $("#ask").dataset.turn) setTimeout(() => location.assign("/"), 1200);
  }
}

// A number or a date that cannot be is shown where it stands, in the browser's own words.
function isPossible() {
  const wrong = $("#options :is(input, select):invalid");
  if (!wrong) return true;
  if ($("#options").hidden) $("#options-button").click();
  wrong.reportValidity();
  return false;
}

async function run(form, body) {
  if (!isPossible()) return;
  const stop = new AbortController();
  const working = $("#working");
  $("#cancel").onclick = () => stop.abort();
  $("#go").disabled = true;
  const shown = setTimeout(() => { working.hidden = false; }, 250);
  let step = "Searching";
  try {
    const answer = await send("POST", "/api/rounds", body, { signal: stop.signal });
    for await (const event of lines(answer)) {
      if (event.step) step = STEPS[event.step] || step;
      const slow = event.seconds >= 3 ? `; this takes its time, ${Math.round(event.seconds)} s so far` : "";
      $("#working-text").textContent = event.download || `${step}${slow} …`;
      if (event.done) return follow(event);
    }
    say("The answer broke off: try it again.");
  } catch (error) {
    say(error.name === "AbortError" ? "Stopped." : error.message);
  } finally {
    clearTimeout(shown);
    working.hidden = true;
    $("#go").disabled = false;
  }
}

export function submit(text) {
  const form = $("#ask");
  const words = text ?? $("#words").value;
  if (!words.trim() && (isEmpty() || (!form.dataset.turn && tray.references.length))) {
    $("#words").focus();
    return say(tray.references.length ? "Say what should be different." : form.dataset.turn ? "Say what should be different, or mark pictures you like." : "Say what you are looking for.");
  }
  if (tray.references.some((each) => !each.id)) return say("A picture is still on its way: a moment.");
  return run(form, asked(form, words));
}

export function watchAsk() {
  const form = $("#ask");
  if (!form) return;
  form.onsubmit = (event) => { event.preventDefault(); submit(); };
  $("#words").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); } });
  $("#words").addEventListener("keydown", (event) => { if (event.key === "Escape") event.target.blur(); }); // then single keys are commands
  $("#options-button").onclick = () => {
    const open = $("#options").hidden;
    $("#options").hidden = !open;
    $("#options-button").setAttribute("aria-expanded", open);
    if (open) $("select, input", $("#options")).focus();
  };
  $("#options").addEventListener("keydown", (event) => { if (event.key === "Escape") { $("#options-button").click(); $("#options-button").focus(); } });
  form.elements.weight.oninput = (event) => { $("#weight-shown").textContent = event.target.value; };
  $$("[data-answer]").forEach((button) => { button.onclick = () => submit(button.dataset.answer); });
  if ($("#drop-where")) $("#drop-where").onclick = () => withoutFilter(form);
  if ($("#again-options")) $("#again-options").onclick = () => again(form);
  if ($("#without-filter")) $("#without-filter").onclick = () => withoutFilter(form);
  const { placeholder } = $("#words");
  const prompt = () => { $("#words").placeholder = tray.references.length ? "What should change?" : placeholder; };
  onTray(prompt);
  prompt(); // the tray may have been kept over a reload
  if (matchMedia("(pointer: fine)").matches) $("#words").focus({ preventScroll: true });
}

// The request that made this turn once more, with the options as they are now: a branch beside it.
function again(form) {
  return run(form, { ...asked(form, ""), round: null, ...JSON.parse(form.dataset.again) });
}

function withoutFilter(form) {
  $("[data-where]").dataset.where = "";
  for (const field of $$("[data-where] input, [data-where] select")) field.value = "";
  if (form.dataset.again) return again(form);
  say("Say what should be different, and all pictures are searched.");
  return $("#words").focus();
}
