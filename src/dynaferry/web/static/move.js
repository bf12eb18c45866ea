// The card of a move: how its tables stand, how far behind they were, what came in and went out.

import { Points, RateChart } from "/chart.js";
import { $ } from "/dom.js";
import { clock, count, megabytes, short } from "/words.js";

// From the least to the most that is done; what is said of a move is said of its slowest table.
const ORDER = [
  "capturing", "copying", "replaying", "re-syncing", "following", "switched", "going-back", "returned",
];

const named = ([, lag, captured, out, rows]) => ({ lag, captured, out, rows });
const total = (tables, of) => tables.reduce((sum, table) => sum + of(table), 0);

export const seconds = (value) => (value == null ? "–" : `${value < 100 ? value.toFixed(1) : count(value)} s`);

export function lagOf(tables) {
  return tables.some((table) => table.lag == null) ? null : Math.max(...tables.map((table) => table.lag));
}

export const moveState = (tables) => ORDER.find((state) => tables.some((table) => table.state === state));

function shards(tables) {
  const waiting = total(tables, (t) => t.shards_waiting);
  return count(total(tables, (t) => t.shards_open)) + (waiting ? ` + ${count(waiting)} later` : "");
}

export class MoveCard {
  constructor() {
    const lagWords = (value) => seconds(Math.max(0, value));
    this.lag = new RateChart($("move-lag"), { hue: "--accent", words: lagWords, times: clock });
    this.changes = new RateChart($("move-changes"), { hue: "--reads", together: true, times: clock });
    this.waiting = new RateChart($("move-waiting"), { hue: "--accent", times: clock });
    this.begin(0);
  }

  begin(began) {
    this.tables = [];
    this.points = new Points(named, began);
    $("move").hidden = true;
  }

  // Only the tables come that are not what they were.
  take(tables) {
    for (const table of tables) this.tables[table.index] = table;
  }

  show({ move_points: points }, pairOf, node) {
    const { tables } = this;
    this.points.add(points);
    if (!tables.length) return;
    if ($("move").hidden) $("move").hidden = false;
    $("move-lines").replaceChildren(...tables.map((table) => node("li", table.line)));
    const losing = tables.map((table) => table.losing).filter(Boolean);
    $("move-losing").textContent = losing.join(" · ");
    const late = tables.map((table) => table.late).filter(Boolean);
    if ($("move-late").textContent !== late.join("")) $("move-late").replaceChildren(...late.map((line) => node("li", line)));
    $("move-facts").replaceChildren(...[
      ["behind", seconds(lagOf(tables))],
      ["changes in/s", short(total(tables, (t) => t.changes_in))],
      ["changes out/s", short(total(tables, (t) => t.changes_out))],
      ["waiting", count(total(tables, (t) => t.rows))],
      ["to be read again", count(total(tables, (t) => t.read_again))],
      ["spool, MB", megabytes(total(tables, (t) => t.bytes))],
      ["shards", shards(tables)],
      ["gaps open", count(total(tables, (t) => t.gaps))],
      ["in doubt", count(total(tables, (t) => t.doubts))],
      ["rejected", count(total(tables, (t) => t.rejected))],
      ["late writes", count(total(tables, (t) => t.late_writes))],
    ].map(pairOf));
    this.lag.show(this.points.limits((p) => p.lag), [], []);
    this.changes.show(this.points.rates((p) => p.captured), this.points.rates((p) => p.out), []);
    this.waiting.show(this.points.limits((p) => p.rows), [], []);
  }
}
