// The live page of one run. It receives an update once a second and shows it; text is only ever set
// as text, so that no name and no message becomes markup.

import { Points, RateChart } from "/chart.js";
import { post, runForm, showCommand, token } from "/controls.js";
import { $, node, pairOf, setText } from "/dom.js";
import { Events, NextSteps, Reasons, marksOf, showLatency } from "/lists.js";
import { MoveCard, lagOf, moveState, seconds } from "/move.js";
import { SwitchPanel } from "/switch.js";
import { Tables, etaInWords } from "/tables.js";
import { clock, count, dollars, duration, megabytes, percent, printable, short } from "/words.js";

const STATES = {
  preparing: "preparing", running: "running", paused: "paused", complete: "complete",
  rejected: "complete, with rejected items", interrupted: "interrupted", failed: "failed",
  refused: "refused", unhealthy: "stalled", throttled: "throttled", lost: "connection lost",
  capturing: "capturing", copying: "copying", replaying: "replaying", following: "following",
  "re-syncing": "re-syncing", switched: "switched", "going-back": "going back", returned: "returned",
};

// Updates come once a second; after this time without one, the last is out of date.
const SILENT_SECONDS = 30;
const STOPPED = new Set(["interrupted", "failed"]);

let last = null, head = null, updatedAt = 0;
let points = new Points(), reasons = new Reasons(), events = new Events(), steps = new NextSteps();
const tables = new Tables();

const mayControl = () => Boolean(head && head.can_control && token);
const change = (what) => post("/control", what);

// What is shown --------------------------------------------------------------------------------

function show(news) {
  if (news.head !== null) begin(news);
  showState(news);
  showHeadline(news);
  tables.update(news);
  move.show(news, pairOf, node);
  cutOver.show(news, moveState(move.tables), node);
  limits.show({ max_write_units: news.write_cap, max_read_units: news.read_cap });
  points.add(news.points);
  writes.draw(points);
  reads.draw(points);
  for (const chart of [writes, reads]) chart.mark(marksOf(events), points);
  showLatency(news.latency);
  events.add(news.events);
  steps.add(news.next_steps);
  reasons.add(news.reasons);
  reasons.show("throttles", "throttled");
  $("rejections-more").hidden = !(reasons.show("rejections", "rejected") && head.dead_letters_command);
  const unprocessed = news.total.unprocessed_items;
  setText($("unprocessed"),
    unprocessed ? `${count(unprocessed)} items were left unprocessed, without a reason, and sent again` : "");
}

function begin(news) {
  head = news.head;
  setText($("run"), news.run);
  setText($("route"), `${sideInWords(head.source)} → ${sideInWords(head.target)}`);
  $("route").hidden = !head.tables.length;
  setText($("arns"), head.arns ? head.arns.join(" → ") : "");
  $("settings").replaceChildren(...head.settings.map(pairOf));
  $("controls").hidden = $("limits").hidden = !mayControl();
  if (head.dead_letters_command) showCommand($("rejections-command"), head.dead_letters_command);
  if (head.resume_command) showCommand($("resume-command"), head.resume_command);
  setText($("resume-more"), head.resume_note || "");
  $("resume").hidden = !head.resume_command;
  points = new Points(undefined, head.began_epoch);
  [reasons, events, steps] = [new Reasons(), new Events(), new NextSteps()];
  $("events").hidden = $("steps").hidden = true;
  move.begin(head.began_epoch);
  cutOver.begin(mayControl());
  tables.begin(head, mayControl() ? change : null);
}

const sideInWords = ({ account, region }) => `${account || "several accounts"} ${region || "several Regions"}`;

function stateOf(news) {
  if (news.phase === "ended") return news.status;
  if (news.phase === "preparing" && !move.tables.length) return "preparing";
  const { running, paused } = news.total.states;
  if (news.paused || (paused && !running)) return "paused";
  if (!news.healthy) return "unhealthy";
  if (news.health.startsWith("throttled")) return "throttled";
  return moveState(move.tables) || "running";
}

function setState(state, words) {
  const pill = $("state");
  if (pill.dataset.state !== state) pill.dataset.state = state;
  setText(pill, words || STATES[state] || state);
}

function showState(news) {
  move.take(news.move);
  const state = stateOf(news);
  setState(state);
  const isOver = news.phase === "ended";
  document.title = `${isOver || state === "preparing" ? STATES[state] || state : percent(news.total.share_done)} · ${news.run} – dynaferry`;
  setText($("elapsed"), `${isOver ? "ran for" : "running for"} ${duration(news.seconds)}`);
  setText($("pause"), news.paused ? "Resume" : "Pause");
  if (isOver) $("controls").hidden = $("limits").hidden = true;
  const unhealthy = state === "unhealthy";
  $("trouble").hidden = !(news.error || unhealthy);
  setText($("trouble-what"), news.error ? news.error.message : news.health);
  setText($("trouble-hint"), (news.error && news.error.hint) || "");
  setText($("resume-title"), isOver && STOPPED.has(state) ? "This resumes it" : "If it stops, this resumes it");
  $("resume").dataset.now = String(isOver && STOPPED.has(state));
}

// With the time on the clock, where the end can be told.
function ending(news) {
  const { eta_seconds: eta, ends_at: at } = news.total;
  if (news.phase === "ended") return ["took", duration(news.seconds)];
  if (move.tables.length && lagOf(move.tables) != null) return ["behind", seconds(lagOf(move.tables))];
  if (news.phase === "preparing") return ["ETA", "unknown"];
  const words = etaInWords(eta, stateOf(news) === "paused" ? "paused" : news.healthy ? "running" : "stalled");
  return ["ETA", at == null || eta == null ? words : `${words}, about ${clock(at)}`];
}

// Nothing is counted where capacity is provisioned: it is paid by the hour.
const cost = ({ dollars: sum, items_done: items }) => (sum === 0 && items ? "provisioned" : dollars(sum));

function showHeadline(news) {
  const { total, phase } = news;
  const isOver = phase === "ended";
  setText($("share"), head && head.tables.length ? percent(total.share_done) : "–");
  $("progress").value = total.share_done;
  $("facts").replaceChildren(...[
    ending(news),
    ["items", count(total.items_done)],
    [isOver ? "items/s, on average" : "items/s", short(total.items_per_second)],
    ...(isOver ? [] : [
      ["MB/s", megabytes(total.bytes_per_second)],
      ["write units/s", short(total.write_units_per_second)],
      ["read units/s", short(total.read_units_per_second)],
      ["throttled", percent(total.throttled_share)],
    ]),
    ["rejected", count(total.items_rejected)],
    ["cost so far", cost(total)],
  ].map(pairOf));
  setText($("bottleneck"), [
    news.limits_in_words, stateOf(news) === "throttled" ? news.health : null,
    isOver ? null : total.limited_by,
  ].filter(Boolean).join(" · "));
}

function showLegend(of, { limit, throttles }) {
  setText($(`${of}-limit`), limit == null ? "limit: none" : `limit, now ${short(limit)}`);
  const most = throttles < 10 ? throttles.toFixed(1) : short(throttles);
  setText($(`${of}-throttles`), `throttled requests: ${throttles ? `at most ${most}/s` : "none"}`);
}

// Control --------------------------------------------------------------------------------------

$("pause").addEventListener("click", async () => {
  $("pause").disabled = true;
  setText($("said"), await change({ paused: !last.paused }));
  $("pause").disabled = false;
});

// News -----------------------------------------------------------------------------------------

// The state while no update arrives: what was done stays, rates and the ETA do not.
function withoutRates(news) {
  const unknown = { items_per_second: null, bytes_per_second: null, write_units_per_second: null,
    read_units_per_second: null, throttled_share: null, eta_seconds: null, ends_at: null, limited_by: null };
  return { ...news, healthy: false, total: { ...news.total, ...unknown } };
}

function hearNothing(state, words) {
  setState(state, words);
  if (last) showHeadline(withoutRates(last));
}

setInterval(() => {
  const silent = (performance.now() - updatedAt) / 1000;
  if (last && last.phase !== "ended" && silent > SILENT_SECONDS)
    hearNothing("unhealthy", `stalled: no news for ${duration(silent)}`);
}, 1000);

function listen() {
  const feed = new EventSource("/events");
  feed.addEventListener("message", (event) => {
    // All text comes this way, also what a service or a table words.
    const news = JSON.parse(event.data, (_, value) => typeof value === "string" ? printable(value) : value);
    [last, updatedAt] = [news, performance.now()];
    show(news);
    if (news.phase === "ended" && !news.more) feed.close();
  });
  feed.addEventListener("error", () => {
    hearNothing("lost", "connection lost: dynaferry status shows how it stands");
  });
}

const limits = runForm(change);
const writes = new RateChart($("writes"), {
  rate: (p) => p.writes, limit: (p) => p.writeLimit, throttles: (p) => p.throttledWrites,
  hue: "--accent", times: clock, onLegend: (said) => showLegend("writes", said) });
const reads = new RateChart($("reads"), {
  rate: (p) => p.reads, limit: (p) => p.readLimit, throttles: (p) => p.throttledReads,
  hue: "--reads", times: clock, onLegend: (said) => showLegend("reads", said) });
const move = new MoveCard();
const cutOver = new SwitchPanel((what) => post("/switch", { what }));
listen();
