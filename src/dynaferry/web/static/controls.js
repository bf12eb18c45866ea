// What may be changed from here: a pause, and limits in units a second; of the run, or of one table.

import { $, button, node, setText } from "/dom.js";
import { count, printable } from "/words.js";

const CAPS = [
  ["max_write_units", "max-write", "most write units/s"],
  ["max_read_units", "max-read", "most read units/s"],
];
const LEAST_UNITS = 1;
export const unitsInWords = (units) => (units < 10 ? String(units) : count(units));

// The token comes in the fragment, which is never sent, and does not stay in the address bar.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("dynaferry-token", given);
    history.replaceState(null, "", location.pathname);
  }
  return given || sessionStorage.getItem("dynaferry-token");
}

export const token = takeToken();

// What the run said to it, in words.
export async function post(path, what) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Dynaferry-Token": token },
    body: JSON.stringify(what),
  }).catch(() => null);
  if (response === null) return "the run does not respond";
  // What a server refuses before it is read is answered in plain text.
  const reply = await response.json().catch(() => null);
  if (typeof reply?.message !== "string") return `the run did not take it: HTTP status ${response.status}`;
  return printable(reply.message);
}

// A field for each cap, filled with what holds now. A limit is lifted by a button of its own, and
// only after a question: an empty field lifts nothing.
export class LimitForm {
  // `change` is given what to change and returns what was said to it; ids begin with `prefix`.
  constructor(form, { change, prefix = "", whose }) {
    this.change = change;
    this.whose = whose;
    this.said = node("p", "Takes effect within 2 seconds.", "quiet said");
    this.said.id = `${prefix}said`;
    this.said.setAttribute("role", "status");
    this.fields = CAPS.map(([cap, id, label]) => this.field(form, cap, prefix + id, label));
    this.question = node("div", null, "question");
    this.question.hidden = true;
    form.append(this.question, this.said);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  field(form, cap, id, label) {
    const input = node("input");
    Object.assign(input, { id, type: "number", min: LEAST_UNITS, step: "any", inputMode: "decimal", placeholder: "no limit" });
    const labelled = node("label", label);
    labelled.htmlFor = id;
    const field = { cap, input, label, now: null, isTyped: false };
    input.addEventListener("input", () => { field.isTyped = true; });
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") this.set(field); });
    const set = button("Set", () => this.set(field));
    field.lift = button("No limit", () => this.ask(field));
    set.dataset.cap = cap;
    field.lift.dataset.lift = cap;
    form.append(labelled, input, set, field.lift);
    return field;
  }

  // The caps that hold now, null where there is none. What somebody types is left alone.
  show(caps) {
    for (const field of this.fields) {
      field.now = caps[field.cap];
      field.lift.disabled = field.now == null;
      if (!field.isTyped) field.input.value = field.now == null ? "" : String(Number(field.now.toFixed(2)));
    }
  }

  async set(field) {
    const units = Number(field.input.value);
    if (field.input.value.trim() === "" || !(units >= LEAST_UNITS)) {
      setText(this.said, `Type how many units a second, at least ${LEAST_UNITS}. “No limit” lifts the limit.`);
      return;
    }
    this.question.hidden = true;
    setText(this.said, await this.change({ [field.cap]: units }));
    field.isTyped = false;
  }

  ask(field) {
    const lifted = button("Lift the limit", async () => {
      this.question.hidden = true;
      setText(this.said, await this.change({ [field.cap]: null }));
      field.isTyped = false;
    }, "primary");
    lifted.dataset.confirm = field.cap;
    const kept = button("Keep it", () => { this.question.hidden = true; });
    kept.dataset.keep = field.cap;
    const row = node("div", null, "row");
    row.append(kept, lifted);
    const side = field.cap === "max_read_units" ? "reads as fast as the source" : "writes as fast as the target";
    this.question.replaceChildren(
      node("p", `Lift the limit of ${unitsInWords(field.now)} units/s of ${this.whose}? It then ${side} allows.`), row);
    this.question.hidden = false;
    kept.focus();
  }
}

// A command that can be copied: to the clipboard where the browser allows it, else selected.
export function showCommand(element, command) {
  if (element.dataset.command === command) return;
  element.dataset.command = command;
  const code = node("code", command), said = node("span", "", "quiet");
  said.setAttribute("role", "status");
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(command);
      setText(said, "copied");
    } catch {
      getSelection().selectAllChildren(code);
      setText(said, "selected: copy it with the keyboard");
    }
  });
  element.replaceChildren(code, copy, said);
}

export const runForm = (change) => new LimitForm($("limits-form"), { change, whose: "the run" });
