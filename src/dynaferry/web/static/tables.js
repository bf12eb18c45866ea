// A row for each table of the run. A click opens it: its segments, its charts, its limits.

import { unitsInWords } from "/controls.js";
import { $, node, setText } from "/dom.js";
import { TableDetail } from "/detail.js";
import { Segments } from "/map.js";
import { count, duration, percent, short } from "/words.js";

const UNDER_WAY = new Set(["running", "paused", "stalled"]);
const COLUMNS = [
  ["items", ({ items }) => count(items)],
  ["items/s", ({ rate }) => short(rate)],
  ["ETA", ({ eta, state }) => (UNDER_WAY.has(state) ? etaInWords(eta, state) : "–")],
  ["throttled", ({ throttled }) => percent(throttled)],
  ["rejected", ({ rejected }) => count(rejected)],
];
const NAMES = ["index", "state", "share", "items", "rejected", "rate", "eta", "throttled", "segmentsDone", "words", "paused", "readCap", "writeCap"];
const named = (row) => Object.fromEntries(NAMES.map((name, at) => [name, row[at]]));

export function etaInWords(eta, state) {
  if (state === "paused" || state === "stalled") return state;
  return eta == null ? "unknown" : duration(eta);
}

const capsInWords = ({ writeCap, readCap }) => [["writes", writeCap], ["reads", readCap]]
  .filter(([, units]) => units != null).map(([verb, units]) => `${verb} at most ${unitsInWords(units)} units/s`);

class TableRow {
  constructor([source, target, total], { isOnly, control, began, index }) {
    this.total = total;
    this.segments = new Segments(total);
    this.context = { isOnly, control, began, index, target };
    this.detail = null;
    this.shown = { state: "waiting" };
    this.body = node("tbody", null, "table");
    this.body.append(this.head(source === target ? source : `${source} → ${target}`), this.opened());
    if (isOnly) this.toggle();
  }

  head(name) {
    const row = this.row = node("tr", null, "row");
    const cell = node("th");
    cell.scope = "row";
    this.button = node("button", name, "toggle");
    this.button.type = "button";
    this.button.setAttribute("aria-expanded", "false");
    this.button.addEventListener("click", () => this.toggle());
    this.state = node("span", "waiting", "pill small");
    cell.append(this.button, this.state);
    const bar = node("td", null, "share");
    this.bar = node("progress");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", `Share done of ${name}`);
    this.percent = node("b", "–");
    bar.append(this.bar, this.percent);
    this.cells = COLUMNS.map(([label]) => {
      const value = node("td", "–", "number");
      value.dataset.label = label;
      return value;
    });
    this.words = node("td", "", "words quiet");
    row.append(cell, bar, ...this.cells, this.words);
    return row;
  }

  opened() {
    this.more = node("tr", null, "more");
    this.more.hidden = true;
    this.place = node("td");
    this.place.colSpan = COLUMNS.length + 3;
    this.more.append(this.place);
    return this.more;
  }

  toggle() {
    this.more.hidden = !this.more.hidden;
    this.button.setAttribute("aria-expanded", String(!this.more.hidden));
    if (!this.more.hidden && !this.detail) this.detail = new TableDetail(this.place, this.segments, this.context);
    if (!this.more.hidden) this.drawDetail();
  }

  show(row) {
    this.shown = row;
    if (!UNDER_WAY.has(row.state)) this.segments.stop();
    this.row.dataset.state = this.state.dataset.state = row.state;
    setText(this.state, row.state);
    this.bar.value = row.share;
    setText(this.percent, percent(row.share));
    COLUMNS.forEach(([, inWords], at) => setText(this.cells[at], inWords(row)));
    setText(this.words, [...capsInWords(row), row.words].filter(Boolean).join(" · "));
  }

  drawDetail(run = this.run) {
    this.run = run;
    if (!this.more.hidden && run) this.detail.show(this.shown, run);
  }
}

export class Tables {
  // `control` makes a change, and is null where nothing may be changed.
  begin(head, control) {
    const isOnly = head.tables.length === 1;
    this.rows = head.tables.map((table, index) =>
      new TableRow(table, { isOnly, control, began: head.began_epoch, index }));
    const columns = node("tr");
    columns.append(...["table", "done", ...COLUMNS.map(([label]) => label), ""].map((label, at) => {
      const cell = node("th", label, at > 1 ? "number" : "");
      cell.scope = "col";
      return cell;
    }));
    const top = node("thead");
    top.append(columns);
    $("tables").replaceChildren(top, ...this.rows.map((row) => row.body));
    setText($("tables-title"), isOnly ? "Segments" : "Tables");
    $("tables-hint").hidden = isOnly;
  }

  update(news) {
    for (const [table, segment, filled, seconds] of news.segments) this.rows[table].segments.note(segment, filled, seconds);
    for (const row of news.rows) this.rows[row[0]].show(named(row));
    const run = { now: news.seconds, isOver: news.phase === "ended", isPaused: news.paused };
    for (const row of this.rows) row.drawDetail(run);
    const states = Object.entries(news.total.states).map(([state, tables]) => `${count(tables)} ${state}`);
    setText($("tables-states"), this.rows.length > 1 ? states.join(" · ") : "");
  }
}
