// The map of the gallery, its groups, and its near-copies.
import { $, $$, el, say, sendJson } from "./tools.js";
import { openPicture } from "./picture.js";

const HUES = [225, 25, 150, 290, 60, 190, 340, 100, 255, 5, 170, 45];

function watchMap(map) {
  const canvas = $("canvas", map);
  const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark";
  const state = { points: [], by: "group" };
  const place = (point) => [16 + point.x * (canvas.clientWidth - 32), 16 + (1 - point.y) * (canvas.clientHeight - 32)];
  const folders = () => [...new Set(state.points.map((point) => point.folder))];

  function colour(point, names) {
    const n = state.by === "group" ? point.group : names.indexOf(point.folder);
    return `oklch(${dark() ? 0.75 : 0.6} 0.13 ${HUES[n % HUES.length]})`;
  }

  function draw() {
    const scale = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const names = folders();
    for (const point of state.points) {
      pen.fillStyle = colour(point, names);
      pen.beginPath();
      pen.arc(...place(point), state.points.length > 600 ? 3.2 : 5, 0, 7);
      pen.fill();
    }
  }

  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    let least = 18;
    for (const point of state.points) {
      const [x, y] = place(point);
      const far = Math.hypot(x - at[0], y - at[1]);
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  function show(event) {
    const point = nearest(event);
    const shown = $("#map-shown");
    canvas.style.cursor = point ? "pointer" : "";
    shown.hidden = !point;
    if (!point) return;
    if (!shown.src.endsWith(point.id)) shown.src = `/thumb/s/${point.id}`;
    const [x, y] = place(point);
    shown.style.left = `${Math.min(Math.max(x - 64, 4), canvas.clientWidth - 132)}px`;
    shown.style.top = `${y > 150 ? y - 142 : y + 14}px`;
  }

  canvas.onmousemove = show;
  canvas.onmouseleave = () => { $("#map-shown").hidden = true; };
  canvas.onclick = (event) => { const point = nearest(event); if (point) openPicture(point.id); };
  $("#map-by").onchange = (event) => { state.by = event.target.value; draw(); };
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  $("#theme").addEventListener("click", draw);

  sendJson("GET", "/api/map").then(({ points, groups, gallery }) => {
    state.points = points;
    $("#map-wait").textContent = points.length ? (points.length < gallery ? `A sample of ${points.length.toLocaleString("en")}` : "") : "A map needs three pictures at least.";
    draw();
    $("#groups").replaceChildren(...groups.map((group) => el("li", {}, [
      el("h3", { textContent: group.name || "Alike" }), el("span", { className: "faint", textContent: `${group.pictures.toLocaleString("en")} pictures` }),
      el("ul", { className: "thumbs" }, group.typical.map((id, i) => el("li", {}, [thumb(id, `${group.name || "picture"} ${i + 1}`)]))),
    ])));
  }).catch((error) => { $("#map-wait").textContent = error.message; });
}

function thumb(id, alt) {
  return el("a", { href: `/picture/${id}`, data: { open: id } }, [el("img", { src: `/thumb/s/${id}`, alt, width: 160, height: 160, loading: "lazy" })]);
}

async function takeOut(ids, item) {
  try {
    const { size } = await sendJson("POST", "/api/remove", { ids });
    item.remove();
    $("#size").textContent = size.toLocaleString("en");
    say(`${ids.length} taken out of the gallery; the files stay.`);
  } catch (error) { say(error.message); }
}

function copyGroup(group) {
  const item = el("li", { className: "copies" });
  const rest = group.slice(1).map((each) => each.id);
  item.append(el("ul", { className: "thumbs wide" }, group.map((each, i) => el("li", {}, [thumb(each.id, each.name), el("span", { className: "faint", textContent: `${i ? "" : "best: "}${each.size}` })]))),
    el("button", { type: "button", className: "soft", textContent: `Keep the best, take ${rest.length} out`, onclick: () => takeOut(rest, item) }));
  return item;
}

async function findCopies() {
  const box = $("#copies");
  $("#find-copies").disabled = true;
  box.replaceChildren(el("p", { className: "faint", textContent: "Comparing all pictures …" }));
  try {
    const { groups, all, compared } = await sendJson("GET", "/api/copies");
    const said = groups.length ? `${all} group${all > 1 ? "s" : ""} among ${compared.toLocaleString("en")} pictures.` : `None among ${compared.toLocaleString("en")} pictures.`;
    box.replaceChildren(el("p", { textContent: said }), el("ul", {}, groups.map(copyGroup)));
  } catch (error) { box.replaceChildren(el("p", { className: "warn", textContent: error.message })); }
  $("#find-copies").disabled = false;
}

export function watchGallery() {
  if ($("#map")) watchMap($("#map"));
  if ($("#find-copies")) $("#find-copies").onclick = findCopies;
  for (const button of $$("[data-remove-folder]")) button.onclick = () => say(`Take ${button.dataset.removeFolder} out of the gallery? Its files stay.`, {
    label: "Take it out",
    run: async () => { try { await sendJson("POST", "/api/remove", { folders: [button.dataset.removeFolder] }); location.reload(); } catch (error) { say(error.message); } },
  });
}
