// Numbers as people read them, in the words that the terminal uses.

const NONE = "–";

// What is not printable, as the terminal shows it: it cannot turn text around, and one sees it.
export const printable = (text) => text.replace(/[\p{C}\p{Z}]/gu, (mark) => {
  if (mark === " ") return mark;
  const hex = mark.codePointAt(0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
});

export const count = (value) => (value == null ? NONE : Math.round(value).toLocaleString("en"));

export function short(value) {
  if (value == null) return NONE;
  if (Math.round(value) < 1000) return String(Math.round(value));
  for (const suffix of ["k", "M", "G"]) {
    value /= 1000;
    const text = value.toFixed(value < 99.95 ? 1 : 0);
    if (Number(text) < 1000) return text + suffix;
  }
  return (value / 1000).toFixed(1) + "T";
}

export function percent(share) {
  if (share == null) return NONE;
  if (share > 0 && share < 0.01) return "<1%";
  return Math.floor(share * 100 + 1e-9) + "%";
}

const two = (number) => String(number).padStart(2, "0");

export function duration(seconds) {
  if (seconds == null) return NONE;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  return `${Math.floor(minutes / 1440)}d ${two(Math.floor((minutes % 1440) / 60))}h`;
}

// A moment, in seconds since the epoch, as the clock on this machine's wall shows it.
export function clock(moment, withSeconds = false) {
  const at = new Date(moment * 1000);
  const seconds = withSeconds ? `:${two(at.getSeconds())}` : "";
  return `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

export function latency(seconds) {
  if (seconds == null) return NONE;
  const milliseconds = seconds * 1000;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
}

export const megabytes = (bytes) => (bytes == null ? NONE : (bytes / 1e6).toFixed(1));

export const dollars = (value) => (value < 0.01 && value > 0 ? "<$0.01" : `$${value.toFixed(2)}`);
