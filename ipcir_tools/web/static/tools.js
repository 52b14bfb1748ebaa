// Small things that all parts use: elements, requests, and what is said to the person.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// An element with properties, data and children: el("li", {className: "x", data: {id}}, [child, "text"]).
export function el(tag, { data = {}, ...properties } = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(data)) made.dataset[name] = value;
  made.append(...children);
  return made;
}

export function icon(name, label, properties = {}) {
  const made = el("button", { type: "button", title: label, data: { icon: name }, ...properties });
  made.setAttribute("aria-label", label);
  return made;
}

// A request that is answered with JSON; raises an Error with one sentence.
export async function send(method, url, body, options = {}) {
  const raw = body instanceof Blob;
  let answer;
  try {
    answer = await fetch(url, { method, body: raw ? body : body && JSON.stringify(body),
      headers: raw || !body ? {} : { "Content-Type": "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The program behind this page does not answer: is `ipcir ui` still running?");
  }
  if (!answer.ok) {
    const large = answer.status === 413 ? { error: raw ? "The picture is larger than this page takes: choose a smaller one, or set IPCIR_MAX_BYTES." : "That is too much at a time." } : {};
    const said = await answer.json().catch(() => large);
    throw new Error(said.error || `The request failed (${answer.status}).`);
  }
  return answer;
}

export const sendJson = async (...given) => (await send(...given)).json();

// The lines of an answer, each parsed, as they come.
export async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

const toasts = $("#toasts");

// Says something at the bottom of the page; with an action it stays longer.
export function say(text, action) {
  const toast = el("div", { className: "toast" }, [el("span", { textContent: text })]);
  if (action) toast.append(el("button", { type: "button", textContent: action.label, onclick: () => { toast.remove(); action.run(); } }));
  const place = $("dialog[open]") || document.body; // what is outside an open dialog is dimmed, and read to nobody
  place.append(toasts);
  place.addEventListener("close", () => document.body.append(toasts), { once: true });
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), action ? 12000 : 7000);
}
