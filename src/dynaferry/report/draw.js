// Draws the report's charts, behind what draws those of the live page.

// The line from a point that is the last one before a gap.
const UNDRAWN = { color: "transparent", lineColor: "transparent", topColor: "transparent", bottomColor: "transparent" };
const drawn = (points) => points.map(([time, value, isLast]) => ({ time, value, ...(isLast ? UNDRAWN : {}) }));

// Of a slow run the scale has steps below one.
const words = (value) => (value < 10 ? String(Number(value.toFixed(2))) : short(value));

// Clock time, in UTC as everywhere in the report.
const utc = (time) => new Date(time * 1000).toISOString();
const moment = (time) => `${utc(time).slice(0, 10)} ${utc(time).slice(11, 19)} UTC`;
const DAY_OR_MORE = 2, TO_THE_SECOND = 4;
const tick = (time, kind) =>
  kind <= DAY_OR_MORE ? utc(time).slice(5, 10) : utc(time).slice(11, kind === TO_THE_SECOND ? 19 : 16);

// All times of the axis, so that they are evenly apart, and the pauses as bands behind the lines.
function shade(chart, { times, pauses }) {
  const band = chart.addSeries(charts.AreaSeries,
    { priceScaleId: "pauses", priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false,
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }) });
  band.priceScale().applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
  const paint = () => band.applyOptions(
    { lineColor: "transparent", topColor: colour("--pause"), bottomColor: colour("--pause") });
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  const isPaused = (time) => pauses.some(([from, to]) => from <= time && time <= to);
  const ends = (index) => index + 1 === times.length || !isPaused(times[index + 1]);
  band.setData(times.map((time, index) =>
    (isPaused(time) ? { time, value: 1, ...(ends(index) ? UNDRAWN : {}) } : { time })));
}

function cap(picture, points) {
  const line = picture.chart.addSeries(charts.LineSeries,
    { lineWidth: 1, lineType: charts.LineType.WithSteps, priceLineVisible: false, lastValueVisible: false,
      crosshairMarkerVisible: false, color: colour("--cap"), autoscaleInfoProvider: (original) => picture.range(original) });
  line.setData(drawn(points));
}

const groups = JSON.parse(document.getElementById("series").textContent);
const series = groups.flatMap((group) => group.charts.map((chart) => [group, chart]));
document.querySelectorAll(".chart").forEach((element, index) => {
  const [group, { hue, rates, limits, caps, together }] = series[index];
  const picture = new RateChart(element, { hue, words, together });
  if (picture.chart) {
    picture.chart.applyOptions({ timeScale: { tickMarkFormatter: tick }, localization: { timeFormatter: moment },
      rightPriceScale: { entireTextOnly: true, scaleMargins: { top: 0.12, bottom: 0.05 } } });
    shade(picture.chart, group);
    if (caps.length) cap(picture, caps);
  }
  picture.show(drawn(rates), drawn(limits), []);
});
