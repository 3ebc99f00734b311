// Running plots of the last frames, drawn into a canvas.

export const COLORS = ["#5cc8a0", "#f2b05e", "#6fa8ff", "#e57ac0", "#d7e36b", "#67d5e0", "#f08a70", "#b79bff"];
export const STAGES = {
  crop: "#6fa8ff", search: "#5cc8a0", xcorr: "#b79bff", network: "#67d5e0", refit: "#e57ac0", decode: "#f2b05e",
};
const FRAMES = 300;
const GRID = "#303841";
const TEXT = "#94a0ac";

export const colorOf = (target) => COLORS[(target - 1) % COLORS.length];

// What the last frames were: one entry a frame.
export class History {
  constructor() { this.entries = []; }

  add(targets) {
    this.entries.push(targets);
    if (this.entries.length > FRAMES) this.entries.shift();
  }
}

// Milliseconds of each stage, all targets together; "network" is what was timed neither as search nor as xcorr.
export const stageTimes = (targets) => {
  const sum = (stage) => targets.reduce((sofar, { times_ms: times }) => sofar + (times?.[stage] ?? 0), 0);
  const sums = Object.fromEntries(Object.keys(STAGES).map((stage) => [stage, sum(stage)]));
  sums.network = Math.max(0, sums.network - sums.search - sums.xcorr);
  return sums;
};

export const total = (sums) => Object.values(sums).reduce((sum, time) => sum + time, 0);

export function drawScores(canvas, history) {
  const { context, x, y } = prepare(canvas, 1, ["0", "0.5", "1"]);
  const numbers = new Set(history.entries.flat().map(({ target }) => target));
  for (const number of numbers) {
    context.strokeStyle = colorOf(number);
    context.lineWidth = 1.5;
    context.beginPath();
    let down = false;
    history.entries.forEach((targets, index) => {
      const score = targets.find(({ target }) => target === number)?.score;
      if (score == null) { down = false; return; }
      context[down ? "lineTo" : "moveTo"](x(index), y(score));
      down = true;
    });
    context.stroke();
  }
}

export function drawTimes(canvas, history) {
  const rows = history.entries.map(stageTimes);
  const most = Math.max(1, ...rows.map(total));
  const top = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((value) => value >= most) ?? most;
  const { context, x, y } = prepare(canvas, top, ["0", `${top / 2}`, `${top}`]);
  const floors = rows.map(() => 0);
  for (const [stage, color] of Object.entries(STAGES)) {
    context.fillStyle = color;
    context.beginPath();
    rows.forEach((_, index) => context.lineTo(x(index), y(floors[index])));
    for (let index = rows.length - 1; index >= 0; index -= 1) {
      floors[index] += rows[index][stage];
      context.lineTo(x(index), y(floors[index]));
    }
    context.fill();
  }
}

function prepare(canvas, top, labels) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const [left, upper, lower] = [30, 6, height - 6];
  const x = (index) => left + (index / (FRAMES - 1)) * (width - left);
  const y = (value) => lower - (Math.min(value, top) / top) * (lower - upper);
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.strokeStyle = GRID;
  context.fillStyle = TEXT;
  labels.forEach((label, index) => {
    const level = y((top * index) / (labels.length - 1));
    context.fillText(label, left - 6, level);
    context.beginPath();
    context.moveTo(left, level);
    context.lineTo(width, level);
    context.stroke();
  });
  return { context, x, y };
}
