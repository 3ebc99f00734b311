// The video with its boxes, and the box that is being drawn.

import { colorOf } from "./plots.js";

const SMALLEST_PX = 4;
const LOST = "#ef6461";

export class Picture {
  // canvas: shows the video at its own size; drawn({x, y, width, height}, shift) is called after a box was drawn,
  // began() before.
  constructor(canvas, { began, drawn }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.drag = null;
    this.last = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.last) return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = { from: this.#pixel(event), to: this.#pixel(event) };
      began();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drag) return;
      this.drag.to = this.#pixel(event);
      this.#paint();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!this.drag) return;
      this.drag.to = this.#pixel(event);
      const box = this.#box();
      this.drag = null;
      this.#paint();
      drawn(Math.min(box.width, box.height) < SMALLEST_PX ? null : box, event.shiftKey);
    });
    canvas.addEventListener("pointercancel", () => {
      this.drag = null;
      drawn(null, false);
    });
  }

  show(image, note) {
    this.last?.image.close();
    this.last = { image, note };
    this.#paint();
  }

  #paint() {
    if (!this.last) return;
    const { canvas, context, last: { image, note } } = this;
    if (canvas.width !== image.width || canvas.height !== image.height) {
      [canvas.width, canvas.height] = [image.width, image.height];
      canvas.parentElement.style.setProperty("--ratio", image.width / image.height);
    }
    context.drawImage(image, 0, 0);
    const line = Math.max(2, image.width / 500);
    context.lineWidth = line;
    context.font = `600 ${Math.max(12, image.width / 60)}px system-ui, sans-serif`;
    context.textBaseline = "bottom";
    for (const { target, box: [x, y, width, height], score, lost } of note.targets) {
      context.strokeStyle = context.fillStyle = lost ? LOST : colorOf(target);
      context.setLineDash(lost ? [line * 4, line * 3] : []);
      context.strokeRect(x, y, width, height);
      context.fillText(`${target}${score === null ? "" : `  ${score.toFixed(2)}`}${lost ? "  lost" : ""}`, x, y - line);
    }
    context.setLineDash([]);
    if (this.drag) {
      const { x, y, width, height } = this.#box();
      context.strokeStyle = "#fff";
      context.strokeRect(x, y, width, height);
    }
  }

  // Where the pointer is, in pixels of the video.
  #pixel({ clientX, clientY }) {
    const area = this.canvas.getBoundingClientRect();
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    return [
      inside(((clientX - area.left) / area.width) * this.canvas.width, this.canvas.width),
      inside(((clientY - area.top) / area.height) * this.canvas.height, this.canvas.height),
    ];
  }

  #box() {
    const { from, to } = this.drag;
    const [x, y] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
    return { x, y, width: Math.abs(from[0] - to[0]), height: Math.abs(from[1] - to[1]) };
  }
}
