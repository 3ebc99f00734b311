// The page: takes frames from the server, shows them with what is known of the targets, and sends what is asked for.

import { Picture } from "./picture.js";
import { History, STAGES, colorOf, drawScores, drawTimes, stageTimes, total } from "./plots.js";

const RETRY_MS = 1000;
const RATE_OVER_MS = 2000;
const [scores, times] = [new History(), new History()];
const find = (id) => document.getElementById(id);
const arrivals = [];
let socket = null;
let note = null;
let heldByDrawing = false;

const send = (request) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request)); };

const picture = new Picture(find("picture"), {
  began() {  // a video waits while a box is drawn, so that the box belongs to what is seen; a camera cannot
    heldByDrawing = note !== null && !note.paused && !note.over && about.frames !== null;
    if (heldByDrawing) send({ action: "pause" });
  },
  drawn(box, shift) {
    const beside = shift || find("beside").checked;
    if (box) send({ action: "follow", box: [box.x, box.y, box.width, box.height], beside });
    const atTheStart = box && !beside && note.frame === 0;  // a video waits at its first frame for its targets
    if (heldByDrawing || atTheStart) send({ action: "go" });
    heldByDrawing = false;
  },
});
let about = { frames: null };

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stream`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => connection("connected", "good");
  socket.onclose = () => {
    connection("the server is gone; trying again", "bad");
    setTimeout(connect, RETRY_MS);
  };
  socket.onmessage = async ({ data }) => {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.about) introduce(message.about);
      if (message.refused) find("notice").textContent = message.refused;
      return;
    }
    const from = socket;
    const length = new DataView(data).getUint32(0, true);
    const text = new TextDecoder().decode(new Uint8Array(data, 4, length));
    const image = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
    await new Promise(requestAnimationFrame);
    show(image, JSON.parse(text));
    if (from.readyState === WebSocket.OPEN) from.send("seen");
  };
}

function connection(text, kind) {
  find("connection").textContent = text;
  find("connection").className = `pill ${kind}`;
}

function introduce(given) {
  about = given;
  find("about").textContent = `${about.model} on ${about.backend}, ${about.source}`;
  find("precision").textContent = about.precision;
  find("again").textContent = about.frames === null ? "Open again" : "From the start";
}

function show(image, given) {
  const isNew = note === null || given.frame !== note.frame;
  note = given;
  picture.show(image, note);
  find("hint").hidden = note.targets.length > 0;
  find("frame").textContent = about.frames === null ? note.frame : `${note.frame + 1} of ${about.frames}`;
  find("pause").textContent = note.paused ? "Play" : "Pause";
  find("pause").disabled = note.over;
  find("notice").textContent = note.notice ?? (note.over ? "The video is over." : "");
  find("record").textContent = note.recording?.runs ? `Stop (${note.recording.lines} lines)` : "Record";
  find("record").classList.toggle("runs", note.recording?.runs ?? false);
  const download = find("download");
  download.hidden = !note.recording;
  if (note.recording) download.href = `recordings/${note.recording.name}`;
  listTargets();
  if (!isNew) return;
  arrivals.push(performance.now());
  while (arrivals[0] < performance.now() - RATE_OVER_MS) arrivals.shift();
  find("rate").textContent = ((arrivals.length * 1000) / RATE_OVER_MS).toFixed(1);
  scores.add(note.targets);
  times.add(note.targets);
  find("cost").textContent = note.targets.length ? `${total(stageTimes(note.targets)).toFixed(1)} ms` : "–";
  drawScores(find("scores"), scores);
  drawTimes(find("times"), times);
}

// Rows stay in their place from frame to frame, so that a click meets the button that it was begun on.
function listTargets() {
  find("forget").hidden = note.targets.length === 0;
  const gone = new Map([...find("targets").children].map((row) => [Number(row.dataset.target), row]));
  for (const one of note.targets) {
    const row = gone.get(one.target) ?? find("targets").appendChild(makeRow(one.target));
    gone.delete(one.target);
    const what = row.querySelector(".what");
    const exit = one.exit == null ? "" : `, exit ${one.exit}`;
    const score = one.score === null ? "taken" : `${one.lost ? "lost, " : ""}score ${one.score.toFixed(3)}`;
    what.textContent = `${one.target}: ${score}${exit}`;
    what.classList.toggle("lost", one.lost === true);
  }
  gone.forEach((row) => row.remove());
}

function makeRow(target) {
  const [row, what, away] = ["li", "span", "button"].map((name) => document.createElement(name));
  row.dataset.target = target;
  what.className = "what";
  away.textContent = "×";
  away.title = "forget this target";
  away.onclick = () => send({ action: "forget", target });
  row.append(makeSwatch(colorOf(target)), what, away);
  return row;
}

function makeSwatch(color) {
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = color;
  return swatch;
}

find("forget").onclick = () => send({ action: "forget" });
find("pause").onclick = () => send({ action: note?.paused ? "go" : "pause" });
find("again").onclick = () => send({ action: "again" });
find("record").onclick = () => send({ action: note?.recording?.runs ? "stop" : "record" });
document.addEventListener("keydown", (event) => {
  if (event.code !== "Space" || event.target.closest?.("button, input, a")) return;
  event.preventDefault();
  find("pause").click();
});
find("stages").replaceChildren(...Object.entries(STAGES).map(([stage, color]) => {
  const item = document.createElement("li");
  item.append(makeSwatch(color), stage);
  return item;
}));
find("download").setAttribute("download", "boxes.jsonl");
connect();
