// What is shown of a table that somebody has opened. It is asked for while it is open.

import { Points, RateChart } from "/chart.js";
import { LimitForm } from "/controls.js";
import { button, node, pairOf, setText } from "/dom.js";
import { SegmentMap } from "/map.js";
import { clock, count, dollars, megabytes, printable, short } from "/words.js";

const ASK_SECONDS = 2;

export class TableDetail {
  constructor(place, segments, { isOnly, control, began, index, target }) {
    this.index = index;
    this.segments = segments;
    this.isAsking = false;
    this.askedAt = -Infinity;
    this.points = new Points(undefined, began);
    this.since = null;
    const canvas = node("canvas", null, "map"), hint = node("p", "", "quiet hint");
    canvas.setAttribute("role", "img");
    this.done = node("p", "", "quiet");
    place.append(this.done, canvas, hint);
    this.map = new SegmentMap(canvas, hint, segments);
    if (!isOnly) this.addRest(place, control, target);
  }

  // Of a run's only table all of this stands on the page anyway.
  addRest(place, control, target) {
    this.error = node("div", null, "failure");
    this.error.hidden = true;
    place.prepend(this.error);
    this.facts = node("dl", null, "facts");
    this.charts = node("div", null, "pair");
    this.reasons = node("ul", null, "lines quiet");
    this.said = node("p", "", "quiet");
    place.append(this.facts, this.charts, this.reasons, this.said);
    this.writes = this.chart("Writes, units a second", "--accent",
      (p) => p.writes, (p) => p.writeLimit, (p) => p.throttledWrites);
    this.reads = this.chart("Reads, units a second", "--reads",
      (p) => p.reads, (p) => p.readLimit, (p) => p.throttledReads);
    if (control) this.addControls(place, control, target);
  }

  chart(title, hue, rate, limit, throttles) {
    const figure = node("div"), picture = node("div", null, "chart small"), legend = node("p", title, "legend");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", title);
    figure.append(legend, picture);
    this.charts.append(figure);
    return new RateChart(picture, { rate, limit, throttles, hue, times: clock, onLegend: (said) => setText(legend,
      `${title} · ${said.limit == null ? "no limit" : `limit (dashed) ${short(said.limit)}`}`) });
  }

  addControls(place, control, target) {
    const change = (what) => control({ table: target, ...what });
    this.controls = node("div", null, "table-controls");
    const form = node("form", null, "limits");
    form.autocomplete = "off";
    this.pause = button("Pause this table", async () => {
      setText(this.limits.said, await change({ paused: !this.isPaused }));
    });
    this.pause.id = `table-${this.index}-pause`;
    this.limits = new LimitForm(form, { prefix: `table-${this.index}-`, whose: target, change });
    this.controls.append(this.pause, form);
    place.append(this.controls);
  }

  // `run` has the seconds since it began, whether it is over and whether all of it is paused.
  show(row, { now, isOver, isPaused }) {
    this.map.update(now, row.segmentsDone === this.segments.total);
    setText(this.done, `${count(row.segmentsDone)} of ${count(this.segments.total)} segments`);
    this.showControls(row, isOver, isPaused);
    if (this.facts && !this.isAsking && performance.now() - this.askedAt > ASK_SECONDS * 1000) this.ask(isOver);
  }

  async ask(isOver) {
    this.isAsking = true;
    const since = this.since == null ? "" : `&since=${this.since}`;
    const response = await fetch(`/table?index=${this.index}${since}`).catch(() => null);
    if (response !== null && response.ok)
      this.showRest(JSON.parse(await response.text(), (_, value) => typeof value === "string" ? printable(value) : value));
    else if (this.since == null)
      setText(this.said, isOver ? "The run has ended: dynaferry report shows its charts." : "The run does not respond.");
    this.askedAt = performance.now();
    this.isAsking = false;
  }

  showRest(table) {
    setText(this.said, "");
    this.error.hidden = !table.error;
    if (table.error) this.error.replaceChildren(node("p", table.error.message), node("p", table.error.hint || "", "quiet"));
    this.facts.replaceChildren(...[
      ["MB/s", megabytes(table.bytes_per_second)],
      ["write units/s", short(table.write_units_per_second)],
      ["read units/s", short(table.read_units_per_second)],
      ["cost so far", dollars(table.dollars)],
      ["left unprocessed, sent again", count(table.unprocessed_items)],
    ].map(pairOf), ...[["source", table.source_arn], ["target", table.target_arn]].map(([side, arn]) => {
      const pair = pairOf([side, arn || "unknown"]);
      pair.className = "arn";
      return pair;
    }));
    this.reasons.replaceChildren(
      ...table.throttles.map(([operation, reason, times]) =>
        node("li", `throttled: ${count(times)} × ${operation}, ${reason || "no reason given"}`)),
      ...table.rejections.map(([reason, items]) => node("li", `rejected: ${count(items)} × ${reason}`)));
    if (table.points.length) this.since = table.points[table.points.length - 1][0];
    this.points.add(table.points);
    this.writes.draw(this.points);
    this.reads.draw(this.points);
  }

  showControls(row, isOver, isPaused) {
    if (!this.controls) return;
    this.controls.hidden = isOver || row.state === "complete" || row.state === "rejected";
    this.isPaused = row.paused;
    setText(this.pause, row.paused ? "Resume this table" : "Pause this table");
    this.pause.disabled = isPaused;
    this.pause.title = isPaused ? "the whole run is paused" : "";
    this.limits.show({ max_write_units: row.writeCap, max_read_units: row.readCap });
  }
}
