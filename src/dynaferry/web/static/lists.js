// Lists of the page: latency, reasons with their bars, what happened, and what is left to do.

import { showCommand } from "/controls.js";
import { $, node } from "/dom.js";
import { clock, count, latency } from "/words.js";

export function showLatency(list) {
  $("latency").replaceChildren(...list.map((each) => {
    const row = node("tr");
    row.append(node("td", each.operation), node("td", count(each.requests), "requests"),
      ...[each.p50, each.p95, each.p99].map((seconds) => node("td", latency(seconds))));
    return row;
  }));
}

// The service's words are long: on a narrow screen they break where one of their words begins.
function reasonOf(text) {
  const shown = node("span");
  text.split(/(?<=[a-z])(?=[A-Z])/).forEach((word, index) => {
    if (index) shown.append(node("wbr"));
    shown.append(word);
  });
  return shown;
}

// How often for which reason; only what has changed comes.
export class Reasons {
  constructor() { this.times = new Map(); }

  add(reasons) {
    for (const [kind, operation, reason, times] of reasons)
      this.times.set(JSON.stringify([kind, operation, reason]), { kind, operation, reason, times });
  }

  show(id, kind) {
    const entries = [...this.times.values()].filter((each) => each.kind === kind).sort((a, b) => b.times - a.times);
    const most = Math.max(1, ...entries.map(({ times }) => times));
    $(id).replaceChildren(...(entries.length ? entries.map((each) => bar(each, most)) : [node("li", "none", "none")]));
    return entries.length;
  }
}

function bar({ reason, operation, times }, most) {
  const item = node("li"), meter = node("meter");
  meter.max = most;
  meter.value = times;
  meter.setAttribute("aria-hidden", "true");
  item.append(reasonOf(reason || "no reason given"), node("b", count(times)));
  if (operation) item.append(node("span", operation, "quiet"));
  item.append(meter);
  return item;
}

// What happened to the run, the newest first.
export class Events {
  constructor() { this.lines = []; }

  add(events) {
    for (const [index, time, words, mark] of events) this.lines[index] = { time, words, mark };
    if (!events.length) return;
    $("events").hidden = false;
    $("events-list").replaceChildren(...this.lines.filter(Boolean).map(eventLine).reverse());
  }
}

// What was asked of the run lately, for the charts.
const MOST_MARKS = 12;

export const marksOf = ({ lines }) => lines.filter((line) => line && line.mark).slice(-MOST_MARKS);

function eventLine({ time, words }) {
  const line = node("li"), at = node("time", clock(time, true));
  at.dateTime = new Date(time * 1000).toISOString();
  line.append(at, node("span", words));
  return line;
}

// What is left to do, each step with its commands.
export class NextSteps {
  constructor() { this.steps = []; }

  add(steps) {
    for (const [step, position, words] of steps) (this.steps[step] ||= [])[position] = words;
    if (!steps.length) return;
    $("steps").hidden = false;
    $("steps-list").replaceChildren(...this.steps.filter(Boolean).map(stepLine));
  }
}

function stepLine([text, ...commands]) {
  const line = node("li", text);
  for (const command of commands.filter(Boolean)) {
    const place = node("p", null, "command");
    showCommand(place, command);
    line.append(place);
  }
  return line;
}
