// The map of the gallery, its groups, and its near-copies.
import { $, $$, el, say, sendJson } from "./tools.js";
import { openPicture } from "./picture.js";

const SIDE = 38;
const MOST_PICTURES = 400;
const HUES = [225, 25, 150, 290, 60, 190, 340, 100, 255, 5, 170, 45];

function watchMap(map) {
  const canvas = $("canvas", map);
  const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark";
  const state = { points: [], by: "group" };
  const pictures = new Map();
  const repaint = [];
  const place = (point) => [30 + point.x * (canvas.clientWidth - 60), 30 + (1 - point.y) * (canvas.clientHeight - 60)];
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
    const taken = [];
    for (const point of state.points) {
      const [x, y] = place(point);
      pen.fillStyle = colour(point, names);
      if (taken.every(([a, b]) => Math.abs(a - x) > SIDE + 6 || Math.abs(b - y) > SIDE + 6) && drawPicture(pen, point, x, y)) taken.push([x, y]);
    }
    for (const point of state.points) {
      const [x, y] = place(point);
      if (taken.some(([a, b]) => Math.abs(a - x) < SIDE / 2 + 5 && Math.abs(b - y) < SIDE / 2 + 5)) continue;
      pen.fillStyle = colour(point, names);
      pen.beginPath();
      pen.arc(x, y, 3.5, 0, 7);
      pen.fill();
    }
  }

  // Draws a small picture with a frame of its group's colour; one that is not here yet is asked for and drawn later.
  function drawPicture(pen, point, x, y) {
    let image = pictures.get(point.id);
    if (!image) {
      if (pictures.size >= MOST_PICTURES) return false;
      image = new Image();
      image.onload = () => { cancelAnimationFrame(state.soon); state.soon = requestAnimationFrame(draw); };
      image.src = `/thumb/s/${point.id}`;
      pictures.set(point.id, image);
    }
    pen.beginPath();
    pen.roundRect(x - SIDE / 2 - 2, y - SIDE / 2 - 2, SIDE + 4, SIDE + 4, 8);
    pen.fill();
    if (!image.complete || !image.naturalWidth) return true;
    const side = Math.min(image.naturalWidth, image.naturalHeight);
    pen.save();
    pen.beginPath();
    pen.roundRect(x - SIDE / 2, y - SIDE / 2, SIDE, SIDE, 6);
    pen.clip();
    pen.drawImage(image, (image.naturalWidth - side) / 2, (image.naturalHeight - side) / 2, side, side, x - SIDE / 2, y - SIDE / 2, SIDE, SIDE);
    pen.restore();
    return true;
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

  // The colour of a group as a dot, as long as the map shows groups.
  function dot(n) {
    const made = el("span", { className: "dot" });
    const paint = () => { made.style.background = colour({ group: n }, []); made.hidden = state.by !== "group"; };
    repaint.push(paint);
    paint();
    return made;
  }

  canvas.onmousemove = show;
  canvas.onmouseleave = () => { $("#map-shown").hidden = true; };
  canvas.onclick = (event) => { const point = nearest(event); if (point) openPicture(point.id); };
  const all = () => { draw(); repaint.forEach((paint) => paint()); };
  $("#map-by").onchange = (event) => { state.by = event.target.value; all(); };
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  $("#theme").addEventListener("click", all);

  sendJson("GET", "/api/map").then(({ points, groups, gallery }) => {
    state.points = points;
    $("#map-wait").textContent = points.length ? (points.length < gallery ? `A sample of ${points.length.toLocaleString("en")}` : "") : "A map needs three pictures at least.";
    draw();
    $("#groups").replaceChildren(...groups.map((group) => el("li", {}, [
      dot(groups.indexOf(group)), el("h3", { textContent: group.name }), el("span", { className: "faint", textContent: `${group.pictures.toLocaleString("en")} ${group.pictures === 1 ? "picture" : "pictures"}` }),
      el("ul", { className: "thumbs" }, group.typical.map(({ id, name }) => el("li", {}, [thumb(id, name)]))),
    ])));
  }).catch((error) => { $("#map-wait").textContent = error.message; });
}

function thumb(id, alt) {
  return el("a", { href: `/picture/${id}`, title: alt, data: { open: id } }, [el("img", { src: `/thumb/s/${id}`, alt, width: 160, height: 160, loading: "lazy" })]);
}

function ask(ids, item) {
  say(`Take ${ids.length} out of the gallery? The files stay.`, { label: ids.length > 1 ? "Take them out" : "Take it out", run: () => takeOut(ids, item) });
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
  item.append(el("ul", { className: "thumbs wide" }, group.map((each, i) => el("li", {}, [thumb(each.id, each.name), el("b", { textContent: each.name }), el("span", { className: "faint", textContent: `${i ? "" : "best: "}${each.size}` })]))),
    el("button", { type: "button", className: "soft", textContent: `Keep the best, take ${rest.length} out`, onclick: () => ask(rest, item) }));
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
