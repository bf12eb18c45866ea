// The live page of one run. It receives an update once a second and shows it; text is only ever set
// as text, so that no name and no message becomes markup.

import { Points, RateChart } from "/chart.js";
import { SegmentMap } from "/map.js";
import { MoveCard, lagOf, moveState, seconds } from "/move.js";
import { SwitchPanel } from "/switch.js";
import { count, dollars, duration, latency, megabytes, percent, printable, short } from "/words.js";

const $ = (id) => document.getElementById(id);
const STATES = {
  preparing: "preparing", running: "running", paused: "paused", complete: "complete",
  rejected: "complete, with rejected items", interrupted: "interrupted", failed: "failed",
  refused: "refused", unhealthy: "stalled", throttled: "throttled", lost: "connection lost",
  capturing: "capturing", copying: "copying", replaying: "replaying", following: "following",
  "re-syncing": "re-syncing", switched: "switched", "going-back": "going back", returned: "returned",
};

// Updates come once a second; after this time without one, the last is out of date.
const SILENT_SECONDS = 30;

let last = null, updatedAt = 0;
let points = new Points();
let tables = [];
let writes = null, reads = null, move = null, cutOver = null;
let paused = false;
const token = takeToken();

// The token comes in the fragment, which is never sent, and does not stay in the address bar.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("dynaferry-token", given);
    history.replaceState(null, "", location.pathname);
  }
  return given || sessionStorage.getItem("dynaferry-token");
}

function node(tag, text, className) {
  const element = document.createElement(tag);
  if (text != null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function pairOf([name, value]) {
  const pair = node("div");
  pair.append(node("dt", name), node("dd", value));
  return pair;
}

// What is shown --------------------------------------------------------------------------------

function show(news) {
  if (news.settings !== null) begin(news);
  paused = news.paused;
  showState(news);
  showHeadline(news);
  showTables(news.tables);
  move.show(news, pairOf, node);
  cutOver.show(news, moveState(news.move), node);
  $("max-write").placeholder = capInWords(news.write_cap);
  $("max-read").placeholder = capInWords(news.read_cap);
  points.add(news.points);
  writes.draw(points);
  reads.draw(points);
  showLatency(news.latency);
  showBars("throttles", news.throttles.map(([operation, reason, times]) =>
    [reason || "no reason given", times, operation]));
  const unprocessed = total(news.tables, (table) => table.unprocessed_items);
  $("unprocessed").textContent =
    unprocessed ? `${count(unprocessed)} items were left unprocessed, without a reason, and sent again` : "";
  showBars("rejections", news.rejections);
}

function begin(news) {
  document.title = `${news.run} – dynaferry`;
  $("run").textContent = news.run;
  $("settings").replaceChildren(...news.settings.map(pairOf));
  $("controls").hidden = $("limits").hidden = !(news.can_control && token);
  points = new Points();
  move.begin();
  cutOver.begin(news.can_control && Boolean(token));
  tables = [];
  $("tables").replaceChildren();
}

function stateOf(news) {
  if (news.phase === "ended") return news.status;
  if (news.phase === "preparing" && !news.move.length) return "preparing";
  if (news.paused) return "paused";
  if (!news.healthy) return "unhealthy";
  if (news.health.startsWith("throttled")) return "throttled";
  return moveState(news.move) || "running";
}

function setState(state, words) {
  const pill = $("state");
  if (pill.dataset.state !== state) pill.dataset.state = state;
  const text = words || STATES[state] || state;
  if (pill.textContent !== text) pill.textContent = text;
}

function showState(news) {
  const state = stateOf(news);
  setState(state);
  $("elapsed").textContent = duration(news.seconds);
  $("pause").textContent = news.paused ? "Resume" : "Pause";
  if (news.phase === "ended") $("controls").hidden = $("limits").hidden = true;
  const unhealthy = state === "unhealthy";
  $("trouble").hidden = !(news.error || unhealthy);
  $("trouble-what").textContent = news.error ? news.error.message : news.health;
  $("trouble-hint").textContent = (news.error && news.error.hint) || "";
}

const total = (list, of) => list.reduce((sum, table) => sum + (of(table) || 0), 0);
// A rate of all tables; unknown where no table has one.
const rate = (list, of) => list.some((table) => of(table) != null) ? total(list, of) : null;

function shareOf(list) {
  const weight = (table) => table.segments_total || 1;
  const all = total(list, weight);
  return all ? total(list, (table) => table.share_done * weight(table)) / all : 0;
}

function timeLeft({ tables: list, phase, paused, seconds: elapsed, move: moved }) {
  if (phase === "ended") return ["took", duration(elapsed)];
  if (moved.length && lagOf(moved) != null) return ["behind", seconds(lagOf(moved))];
  const left = Math.max(...list.map((table) => table.seconds_left ?? -1));
  const waiting = list.some((table) => table.state === "waiting");
  return ["time left", paused ? "paused" : left < 0 ? duration(null) : duration(left) + (waiting ? " +" : "")];
}

// Nothing is counted where capacity is provisioned: it is paid by the hour.
function cost(list) {
  const sum = total(list, (table) => table.dollars);
  return sum === 0 && total(list, (table) => table.items_done) ? "provisioned" : dollars(sum);
}

function showHeadline(news) {
  const list = news.tables;
  const share = shareOf(list);
  $("share").textContent = list.length ? percent(share) : "–";
  $("progress").value = share;
  const facts = [
    timeLeft(news),
    ["items", count(total(list, (t) => t.items_done))],
    ["items/s", short(rate(list, (t) => t.items_per_second))],
    ["MB/s", megabytes(rate(list, (t) => t.bytes_per_second))],
    ["write units/s", short(rate(list, (t) => t.write_units_per_second))],
    ["read units/s", short(rate(list, (t) => t.read_units_per_second))],
    ["throttled", percent(rate(list, (t) => t.throttled_share) == null ? null : Math.max(...list.map((t) => t.throttled_share || 0)))],
    ["rejected", count(total(list, (t) => t.items_rejected))],
    ["cost so far", cost(list)],
  ];
  $("facts").replaceChildren(...facts.map(pairOf));
  const limited = list.filter((table) => table.state === "running" && table.bottleneck);
  $("bottleneck").textContent = [
    news.limits_in_words, stateOf(news) === "throttled" ? news.health : null, limited.length ? `held back last by ${limited[0].bottleneck}` : null,
  ].filter(Boolean).join(" · ");
}

// Tables ---------------------------------------------------------------------------------------

function showTables(list) {
  while (tables.length < list.length) addTable(list[tables.length], list.length);
  list.forEach((table, index) => {
    const shown = tables[index];
    if (shown.state === "waiting" && table.state === "running") shown.details.open = true;
    shown.state = table.state;
    shown.words.textContent = `${table.state}, ${count(table.items_done)} items`;
    shown.left.textContent = `${count(table.segments_complete)} of ${count(table.segments_total)} segments`;
    shown.map.update(table);
  });
}

function showLegend(of, { limit, throttles }) {
  $(`${of}-limit`).textContent = limit == null ? "limit: none" : `limit, now ${short(limit)}`;
  const most = throttles < 10 ? throttles.toFixed(1) : short(throttles);
  $(`${of}-throttles`).textContent = `throttled requests: ${throttles ? `at most ${most}/s` : "none"}`;
}

function addTable(table, howMany) {
  const details = node("details", null, "table");
  details.open = howMany <= 3 || table.state === "running";
  const summary = node("summary");
  const name = table.source === table.target ? table.source : `${table.source} → ${table.target}`;
  const words = node("span", "", "quiet"), left = node("span", "", "quiet left");
  summary.append(node("b", name), words, left);
  const canvas = node("canvas", null, "map"), hint = node("p", "", "quiet hint");
  canvas.setAttribute("role", "img");
  details.append(summary, canvas, hint);
  $("tables").append(details);
  tables.push({ details, words, left, state: table.state, map: new SegmentMap(canvas, hint, table.segments_total) });
}

// Lists ----------------------------------------------------------------------------------------

function showLatency(list) {
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

// Each entry: what it is, how often, and a word below it.
function showBars(id, entries) {
  const most = Math.max(1, ...entries.map(([, times]) => times));
  $(id).replaceChildren(...(entries.length ? entries.map(([reason, times, below]) => {
    const item = node("li"), meter = node("meter");
    meter.max = most;
    meter.value = times;
    meter.setAttribute("aria-hidden", "true");
    item.append(reasonOf(reason), node("b", count(times)));
    if (below) item.append(node("span", below, "quiet"));
    item.append(meter);
    return item;
  }) : [node("li", "none", "none")]));
}

const capInWords = (cap) => (cap == null ? "no limit" : `${count(cap)} now`);

// Control --------------------------------------------------------------------------------------

// What the run said to it, in words.
async function post(path, what) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Dynaferry-Token": token },
    body: JSON.stringify(what),
  }).catch(() => null);
  const reply = response === null ? { message: "the run does not respond" } : await response.json();
  return printable(reply.message);
}

async function change(what) {
  $("said").textContent = await post("/control", what);
}

$("pause").addEventListener("click", async () => {
  $("pause").disabled = true;
  await change({ paused: !paused });
  $("pause").disabled = false;
});

for (const button of document.querySelectorAll("[data-cap]")) {
  button.addEventListener("click", () => {
    const text = $(button.dataset.input).value;
    change({ [button.dataset.cap]: text === "" ? null : Number(text) });
  });
}
$("limits-form").addEventListener("submit", (event) => event.preventDefault());

// News -----------------------------------------------------------------------------------------

// The state while no update arrives: what was done stays, rates and the time left do not.
function withoutRates(news) {
  const unknown = { items_per_second: null, bytes_per_second: null, write_units_per_second: null,
    read_units_per_second: null, throttled_share: null, seconds_left: null, bottleneck: null };
  return { ...news, tables: news.tables.map((table) => ({ ...table, ...unknown })) };
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
  const events = new EventSource("/events");
  events.addEventListener("message", (event) => {
    // All text comes this way, also what a service or a table words.
    const news = JSON.parse(event.data, (_, value) => typeof value === "string" ? printable(value) : value);
    [last, updatedAt] = [news, performance.now()];
    show(news);
    if (news.phase === "ended") events.close();
  });
  events.addEventListener("error", () => {
    hearNothing("lost", "connection lost: dynaferry status shows how it stands");
  });
}

writes = new RateChart($("writes"), {
  rate: (p) => p.writes, limit: (p) => p.writeLimit, throttles: (p) => p.throttledWrites,
  hue: "--accent", onLegend: (said) => showLegend("writes", said) });
reads = new RateChart($("reads"), {
  rate: (p) => p.reads, limit: (p) => p.readLimit, throttles: (p) => p.throttledReads,
  hue: "--reads", onLegend: (said) => showLegend("reads", said) });
move = new MoveCard();
cutOver = new SwitchPanel((what) => post("/switch", { what }));
listen();
