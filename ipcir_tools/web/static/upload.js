// References that are dropped, pasted or picked.
import { $, say, sendJson } from "./tools.js";
import { addReference, settle } from "./tray.js";

const MOST = 4;

async function take(file) {
  const reference = { id: null, note: "", name: file.name };
  addReference(reference);
  try {
    const { id } = await sendJson("POST", "/api/references", file);
    settle(reference, id);
    $("#words")?.focus();
  } catch (error) {
    settle(reference, null);
    say(error.message);
  }
}

function takeAll(files) {
  const pictures = [...files].filter((file) => file.type.startsWith("image/") || /\.(heic|avif|jxl)$/i.test(file.name));
  if (!pictures.length) return say("That is no picture: drop a JPEG, PNG, WebP or HEIC.");
  const taken = pictures.slice(0, MOST);
  if (taken.length < files.length) say(`${taken.length} of ${files.length} files are taken: pictures, ${MOST} at a time.`);
  taken.forEach(take);
}

// What is dragged from another page is mostly its address, which nothing here fetches.
function takeDropped(given) {
  if (given.files.length) return takeAll(given.files);
  if ([...given.types].includes("text/uri-list")) say("That is a link to a picture: save the picture first, or copy and paste it.");
}

export function watchUploads() {
  if (!$("#ask")) return;
  $("#add-picture").onclick = () => $("#file").click();
  $("#file").onchange = (event) => { takeAll(event.target.files); event.target.value = ""; };
  let depth = 0;
  const over = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragenter", (event) => { if (event.dataTransfer?.types.includes("Files")) { depth += 1; over(true); } });
  addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) over(false); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); depth = 0; over(false); takeDropped(event.dataTransfer); });
  addEventListener("paste", (event) => { if (event.clipboardData?.files.length) { event.preventDefault(); takeAll(event.clipboardData.files); } });
}
