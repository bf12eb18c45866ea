// The map of a table's segments: a cell each, in the order of the hash range. Ten thousand of them
// are drawn once; after that only the cells that changed.

import { duration } from "/words.js";

const WAITING = 0, RUNNING = 1, DONE = 2, SLOW = 3, SLOWEST = 4;
const COLOURS = ["--waiting", "--running", "--done", "--slow", "--slowest"];
const SLOW_RATIO = 2, SLOWEST_RATIO = 4;
const MOST_HEIGHT = 170, LARGEST_CELL = 22, SMALLEST_CELL = 3;
// Below this everything is quick, and a ratio says nothing.
const LEAST_SECONDS = 1;

export class SegmentMap {
  constructor(canvas, hint, total) {
    this.canvas = canvas;
    this.hint = hint;
    this.total = total;
    this.seconds = new Map();
    this.running = new Map();
    this.classes = new Uint8Array(total);
    this.drawn = null;
    this.allDone = false;
    canvas.addEventListener("pointermove", (event) => this.showHint(event));
    canvas.addEventListener("pointerleave", () => { hint.textContent = ""; });
    new ResizeObserver(() => this.draw(true)).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }

  update(table) {
    for (const [segment, seconds] of table.finished) this.seconds.set(segment, seconds);
    this.running = new Map(table.running);
    this.allDone = table.segments_complete === this.total;
    this.classify();
    this.draw(false);
    this.canvas.setAttribute("aria-label",
      `${table.segments_complete} of ${this.total} segments done, ${this.running.size} running`);
  }

  classify() {
    const known = [...this.seconds.values()].filter((seconds) => seconds != null).sort((a, b) => a - b);
    const median = Math.max(LEAST_SECONDS, known.length ? known[known.length >> 1] : LEAST_SECONDS);
    this.classes.fill(this.allDone ? DONE : WAITING);
    for (const [segment, seconds] of this.seconds) this.classes[segment] = judge(seconds, median);
    for (const [segment, seconds] of this.running) {
      const judged = judge(seconds, median);
      this.classes[segment] = known.length > 8 && judged !== DONE ? judged : RUNNING;
    }
  }

  layout() {
    const width = this.canvas.clientWidth;
    let cell = LARGEST_CELL;
    const rows = () => Math.ceil(this.total / Math.max(1, Math.floor(width / cell)));
    while (cell > SMALLEST_CELL && rows() * cell > MOST_HEIGHT) cell -= 1;
    return { cell, columns: Math.max(1, Math.floor(width / cell)), height: rows() * cell, width };
  }

  draw(everything) {
    if (!this.canvas.clientWidth) return;
    const { cell, columns, height, width } = this.layout();
    const scale = window.devicePixelRatio || 1;
    const context = this.canvas.getContext("2d");
    if (everything || this.drawn === null || this.height !== height) {
      this.height = height;
      this.canvas.style.height = `${height}px`;
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.drawn = new Uint8Array(this.total).fill(255);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const colours = COLOURS.map((name) => style.getPropertyValue(name));
    const gap = cell > 4 ? 2 : 1;
    for (let segment = 0; segment < this.total; segment++) {
      const judged = this.classes[segment];
      if (this.drawn[segment] === judged) continue;
      this.drawn[segment] = judged;
      context.fillStyle = colours[judged];
      const left = (segment % columns) * cell, top = Math.floor(segment / columns) * cell;
      context.fillRect(left, top, cell - gap, cell - gap);
    }
  }

  showHint(event) {
    const { cell, columns } = this.layout();
    const segment = Math.floor(event.offsetY / cell) * columns + Math.floor(event.offsetX / cell);
    if (event.offsetX >= columns * cell || segment >= this.total) return;
    this.hint.textContent = `segment ${segment}: ${this.words(segment)}`;
  }

  words(segment) {
    if (this.running.has(segment)) return `running for ${duration(this.running.get(segment))}`;
    if (!this.seconds.has(segment)) return this.allDone ? "done" : "waiting";
    const seconds = this.seconds.get(segment);
    return seconds == null ? "done in an earlier attempt" : `done in ${duration(seconds)}`;
  }
}

function judge(seconds, median) {
  if (seconds == null || seconds <= SLOW_RATIO * median) return DONE;
  return seconds <= SLOWEST_RATIO * median ? SLOW : SLOWEST;
}
