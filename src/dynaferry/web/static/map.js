// The map of a table's segments: a cell each, in the order of the hash range, which fills as the
// segment goes. Ten thousand of them are drawn once; after that only the cells that changed.

import { duration } from "/words.js";

const WAITING = 0, DONE = 1, SLOW = 2, SLOWEST = 3, RUNNING = 4;
const COLOURS = ["--waiting", "--done", "--slow", "--slowest"];
const SLOW_RATIO = 2, SLOWEST_RATIO = 4;
const MOST_HEIGHT = 170, LARGEST_CELL = 22, SMALLEST_CELL = 3, WIDEST_CELL = 120;
// Below this a cell has no room for a part of it.
const LEAST_TO_FILL = 6;
const STEPS = 20;
// Below this everything is quick, and a ratio says nothing.
const LEAST_SECONDS = 1;
// From so many on, the time that one takes can be judged by the others'.
const ENOUGH_TO_JUDGE = 8;

// What is known of a table's segments, whether they are drawn or not.
export class Segments {
  constructor(total) {
    this.total = total;
    this.seconds = new Map();
    this.running = new Map();
  }

  // A segment that is full is done; `seconds` is what it took, else when it began.
  note(segment, filled, seconds) {
    if (filled < 1) return void this.running.set(segment, { filled, began: seconds });
    this.running.delete(segment);
    this.seconds.set(segment, seconds);
  }

  stop() { this.running.clear(); }

  get median() {
    const known = [...this.seconds.values()].filter((seconds) => seconds != null).sort((a, b) => a - b);
    this.known = known.length;
    return Math.max(LEAST_SECONDS, known.length ? known[known.length >> 1] : LEAST_SECONDS);
  }
}

export class SegmentMap {
  constructor(canvas, hint, segments) {
    this.canvas = canvas;
    this.hint = hint;
    this.segments = segments;
    this.cells = new Uint8Array(segments.total);
    this.drawn = null;
    this.now = 0;
    canvas.addEventListener("pointermove", (event) => this.showHint(event));
    canvas.addEventListener("pointerleave", () => { hint.textContent = ""; });
    new ResizeObserver(() => this.draw(true)).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }

  // `now` is in seconds since the run began; `allDone` where the table is copied to its end.
  update(now, allDone) {
    this.now = now;
    this.allDone = allDone;
    this.classify();
    this.draw(false);
    this.canvas.setAttribute("aria-label",
      `${allDone ? this.segments.total : this.segments.seconds.size} of ${this.segments.total} segments done, ${this.segments.running.size} running`);
  }

  // One number for what a cell looks like: a part that is filled is a step above what it is.
  classify() {
    const { seconds, running, median } = this.segments;
    this.cells.fill(this.allDone ? DONE : WAITING);
    for (const [segment, took] of seconds) this.cells[segment] = judge(took, median);
    for (const [segment, { filled, began }] of running) {
      const judged = this.segments.known > ENOUGH_TO_JUDGE ? judge(this.now - began, median) : DONE;
      this.cells[segment] = RUNNING + (judged - DONE) * (STEPS + 1) + Math.round(filled * STEPS);
    }
  }

  layout() {
    const width = this.canvas.clientWidth, { total } = this.segments;
    let cell = LARGEST_CELL;
    const rows = () => Math.ceil(total / Math.max(1, Math.floor(width / cell)));
    while (cell > SMALLEST_CELL && rows() * cell > MOST_HEIGHT) cell -= 1;
    const wide = rows() === 1 ? Math.min(WIDEST_CELL, Math.max(cell, Math.floor(width / total))) : cell;
    return { cell, wide, columns: Math.max(1, Math.floor(width / wide)), height: rows() * cell, width };
  }

  draw(everything) {
    if (!this.canvas.clientWidth) return;
    const { cell, wide, columns, height, width } = this.layout();
    const scale = window.devicePixelRatio || 1;
    const context = this.canvas.getContext("2d");
    if (everything || this.drawn === null || this.height !== height) {
      this.height = height;
      this.canvas.style.height = `${height}px`;
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.drawn = new Uint8Array(this.segments.total).fill(255);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const colours = COLOURS.map((name) => style.getPropertyValue(name));
    const running = style.getPropertyValue("--running");
    const gap = cell > 4 ? 2 : 1;
    for (let segment = 0; segment < this.segments.total; segment++) {
      const shown = this.cells[segment];
      if (this.drawn[segment] === shown) continue;
      this.drawn[segment] = shown;
      const left = (segment % columns) * wide, top = Math.floor(segment / columns) * cell;
      const box = [left, top, wide - gap, cell - gap];
      if (shown < RUNNING) fill(context, colours[shown], box);
      else this.drawRunning(context, shown - RUNNING, box, colours, running);
    }
  }

  // What takes long is framed: filled, it would look as if it were done.
  drawRunning(context, shown, [left, top, width, height], colours, running) {
    const step = shown % (STEPS + 1), judged = DONE + Math.floor(shown / (STEPS + 1));
    const frame = judged === DONE ? running : colours[judged];
    if (height < LEAST_TO_FILL) return fill(context, frame, [left, top, width, height]);
    fill(context, colours[WAITING], [left, top, width, height]);
    fill(context, running, [left, top, Math.max(2, (width * step) / STEPS), height]);
    context.strokeStyle = frame;
    context.lineWidth = judged === DONE ? 1 : 2;
    const inset = context.lineWidth / 2;
    context.strokeRect(left + inset, top + inset, width - 2 * inset, height - 2 * inset);
  }

  showHint(event) {
    const { cell, wide, columns } = this.layout();
    const segment = Math.floor(event.offsetY / cell) * columns + Math.floor(event.offsetX / wide);
    if (event.offsetX >= columns * wide || segment >= this.segments.total) return;
    this.hint.textContent = `segment ${segment}: ${this.words(segment)}`;
  }

  words(segment) {
    const { running, seconds } = this.segments;
    if (running.has(segment)) {
      const { filled, began } = running.get(segment);
      return `running for ${duration(Math.max(0, this.now - began))}, about ${Math.round(filled * 100)}% read`;
    }
    if (!seconds.has(segment)) return this.allDone ? "done" : "waiting";
    return seconds.get(segment) == null ? "done in an earlier attempt" : `done in ${duration(seconds.get(segment))}`;
  }
}

function fill(context, colour, [left, top, width, height]) {
  context.fillStyle = colour;
  context.fillRect(left, top, width, height);
}

function judge(seconds, median) {
  if (seconds == null || seconds <= SLOW_RATIO * median) return DONE;
  return seconds <= SLOWEST_RATIO * median ? SLOW : SLOWEST;
}
