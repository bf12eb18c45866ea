// Draws the report's charts, behind what draws those of the live page.

// The line from a point that is the last one before a gap.
const UNDRAWN = { color: "transparent", lineColor: "transparent", topColor: "transparent", bottomColor: "transparent" };
const drawn = (points) => points.map(([time, value, isLast]) => ({ time, value, ...(isLast ? UNDRAWN : {}) }));

// Of a slow run the scale has steps below one.
const words = (value) => (value < 10 ? String(Number(value.toFixed(2))) : short(value));

const series = JSON.parse(document.getElementById("series").textContent);
document.querySelectorAll(".chart").forEach((element, index) => {
  const { hue, rates, limits, together } = series[index];
  new RateChart(element, { hue, words, together }).show(drawn(rates), drawn(limits), []);
});
