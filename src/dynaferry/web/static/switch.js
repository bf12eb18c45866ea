// The switch of a move: check and cut over, asked for here or elsewhere, with the steps as they happen.

import { $ } from "/dom.js";

const TITLES = { check: "Check", "cut-over": "Cut-over", "cut-back": "Cut-back" };
// Only where the target follows may it be asked for; before, the check says what it waits for.
const ASKED_IN = new Set(["replaying", "re-syncing", "following"]);

export class SwitchPanel {
  // `ask` asks the run for something, and gives what it said.
  constructor(ask) {
    this.ask = ask;
    this.mayAsk = false;
    $("switch-check").addEventListener("click", () => this.send("check"));
    $("switch-begin").addEventListener("click", () => this.confirm(true));
    $("switch-no").addEventListener("click", () => this.confirm(false));
    $("switch-go").addEventListener("click", () => this.send("cut-over"));
    $("switch-withdraw").addEventListener("click", () => this.send("withdraw"));
    this.begin(false);
  }

  begin(mayAsk) {
    this.mayAsk = mayAsk;
    this.last = null;
    this.confirm(false);
  }

  confirm(isAsked) {
    $("switch-confirm").hidden = !isAsked;
    if (isAsked) $("switch-no").focus();
  }

  async send(what) {
    this.confirm(false);
    $("switch-said").textContent = await this.ask(what);
  }

  show({ switch: news, phase }, state, node) {
    if (news) this.last = news;
    const isOpen = Boolean(this.last) && this.last.outcome === null;
    const mayAsk = this.mayAsk && phase !== "ended" && ASKED_IN.has(state);
    $("switch").hidden = !(mayAsk || this.last);
    $("switch-buttons").hidden = !mayAsk || isOpen;
    if (!mayAsk || isOpen) this.confirm(false);
    $("switch-withdraw").hidden = !(this.mayAsk && isOpen && this.last.may_withdraw);
    if (news) this.tell(news, node);
  }

  tell(news, node) {
    $("switch-title").textContent = TITLES[news.what] || news.what;
    $("switch-steps").replaceChildren(...news.lines.map((line) => node("li", line.trim())));
    const told = $("switch-told");
    told.dataset.end = news.outcome === null ? "" : news.is_good ? "good" : "bad";
    told.replaceChildren(...news.told.map((line) => node("li", line)));
    if (news.outcome !== null) $("switch-said").textContent = "";
  }
}
