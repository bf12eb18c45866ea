// Rates over time, by Lightweight Charts. Points come as totals: a rate is what lies between two.

import { duration, short } from "/words.js";

const MOST_POINTS = 1200;
// Pages and batches come in bursts: a rate is taken over this many seconds.
const SMOOTH_SECONDS = 5;
// Not there where the script is another than was reviewed: then the page does without.
const charts = window.LightweightCharts;
const LEFT_OUT = "Left out: the charts' script is not there, or not the one that was reviewed.";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const ofRun = ([, items, reads, writes, throttledReads, throttledWrites, readLimit, writeLimit]) =>
  ({ items, reads, writes, throttledReads, throttledWrites, readLimit, writeLimit });

export class Points {
  // `read` names the numbers behind a point's first, which is its seconds since the moment `since`.
  constructor(read = ofRun, since = 0) {
    this.all = [];
    this.read = read;
    this.since = since;
  }

  // Returns whether earlier points were dropped, so that all must be drawn anew.
  add(points) {
    for (const numbers of points) {
      const time = Math.round(this.since + numbers[0]);
      const last = this.all[this.all.length - 1];
      const point = { time, ...this.read(numbers) };
      if (last && last.time >= time) this.all[this.all.length - 1] = { ...point, time: last.time };
      else this.all.push(point);
    }
    if (this.all.length <= MOST_POINTS) return;
    const newest = this.all.length - 1;
    this.all = this.all.filter((_, index) => index % 2 === 0 || index === newest);
  }

  get newest() { return this.all[this.all.length - 1]; }

  rates(of) {
    let first = 0;
    return this.all.map((point, index) => {
      while (first < index - 1 && this.all[first + 1].time <= point.time - SMOOTH_SECONDS) first += 1;
      const seconds = point.time - this.all[first].time;
      if (seconds <= 0) return { time: point.time };
      return { time: point.time, value: Math.max(0, of(point) - of(this.all[first])) / seconds };
    });
  }

  limits(of) {
    return this.all.map((point) =>
      of(point) == null ? { time: point.time } : { time: point.time, value: of(point) });
  }
}

// Marks stand at whole tens of seconds, then at whole minutes and hours: not at 7 and at 13 seconds.
const MARK_SECONDS = 10;
const NO_MARK = 0, MARK = 10, MINUTE_MARK = 20;
const WITH_SECONDS = 4;

function roundTimes() {
  const Times = charts.defaultHorzScaleBehavior();
  return new class extends Times {
    marked = new Set();

    fillWeightsForPoints(points, begin) {
      super.fillWeightsForPoints(points, begin);
      for (let at = begin; at < points.length; at++) {
        const time = points[at].originalTime, before = at ? points[at - 1].originalTime : time;
        const isTen = Math.floor(time / MARK_SECONDS) > Math.floor(before / MARK_SECONDS);
        if (!at || points[at].timeWeight < MINUTE_MARK) points[at].timeWeight = isTen ? MARK : NO_MARK;
        if (points[at].timeWeight > NO_MARK) this.marked.add(time);
        else this.marked.delete(time);
      }
    }
  }();
}

// Room for the label of nothing, below the line on which bars stand as well.
const FOOT = 0.03;
// A limit that is far above what is used would press it flat: it leaves the picture instead.
const LIMIT_TO_RATE = 4;

export class RateChart {
  // `onLegend` gets what the picture does not say: the limit of now, and the highest rate of
  // throttles, whose bars have no scale of their own.
  // With `together` the dashed line is a rate like the other, and never leaves the picture.
  // `times` words a moment of the points; with seconds or without.
  constructor(element, { rate, limit, throttles, hue, onLegend, words = short, together = false, times = duration }) {
    this.hue = hue;
    this.together = together;
    this.onLegend = onLegend;
    this.rate = rate;
    this.limit = limit;
    this.throttles = throttles;
    if (!charts) {
      element.textContent = LEFT_OUT;
      element.classList.add("quiet");
      return;
    }
    const scale = roundTimes();
    this.chart = charts.createChartEx(element, scale, {
      autoSize: true,
      layout: { attributionLogo: false }, // it is in the footer; the logo wants inline styles
      handleScroll: { vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      timeScale: { timeVisible: true, secondsVisible: true, fixLeftEdge: true, fixRightEdge: true, allowBoldLabels: false,
        tickMarkFormatter: (time, kind) => (scale.marked.has(time) ? times(time, kind === WITH_SECONDS) : "") },
      localization: { timeFormatter: (time) => times(time, true), priceFormatter: words, dateFormat: "dd MMM 'yy" },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: FOOT } },
    });
    this.rateSeries = this.chart.addSeries(charts.AreaSeries,
      { lineWidth: 2, priceLineVisible: false, lastValueVisible: false,
        autoscaleInfoProvider: (original) => this.range(original) });
    this.limitSeries = this.chart.addSeries(charts.LineSeries,
      { lineWidth: 2, lineStyle: charts.LineStyle.Dashed, priceLineVisible: false, lastValueVisible: false,
        crosshairMarkerVisible: false, autoscaleInfoProvider: (original) => this.range(original) });
    this.throttleSeries = this.chart.addSeries(charts.HistogramSeries,
      { priceScaleId: "throttles", priceLineVisible: false, lastValueVisible: false });
    this.marks = charts.createSeriesMarkers(this.rateSeries, []);
    this.throttleSeries.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: FOOT } });
    this.paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  paint() {
    const line = colour(this.hue);
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: colour("--quiet"),
        fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("--line") } },
      timeScale: { borderColor: colour("--line") },
    });
    this.rateSeries.applyOptions({ lineColor: line, topColor: `${line}40`, bottomColor: `${line}08` });
    this.limitSeries.applyOptions({ color: colour("--limit") });
    this.throttleSeries.applyOptions({ color: colour("--slowest") });
  }

  // A rate is judged by its height above nothing.
  range(original) {
    const info = original();
    if (info === null) return info;
    const { maxValue } = info.priceRange;
    info.priceRange.minValue = 0;
    info.priceRange.maxValue = this.highest ? Math.min(maxValue, LIMIT_TO_RATE * this.highest) : maxValue;
    return info;
  }

  // Marks of moments, each with a word; earlier ones than the first point are left out.
  mark(marks, points) {
    if (!this.chart || !points.all.length) return;
    const first = points.all[0].time, hue = colour("--quiet");
    this.marks.setMarkers(marks.map(({ time, mark }) => ({ time: Math.round(time), mark }))
      .filter(({ time }) => time >= first)
      .map(({ time, mark }) => ({ time, text: mark, color: hue, position: "aboveBar", shape: "circle", size: 0.5 })));
  }

  draw(points) {
    const throttles = points.rates(this.throttles);
    this.show(points.rates(this.rate), points.limits(this.limit), throttles);
    this.updateLegend(points, throttles);
  }

  // Series as they are; a point with a `value` is drawn.
  show(rates, limits, throttles) {
    const judged = this.together ? [...rates, ...limits] : rates;
    this.highest = Math.max(0, ...judged.map((point) => point.value || 0));
    if (!this.chart) return;
    this.rateSeries.setData(rates);
    this.limitSeries.setData(limits);
    this.throttleSeries.setData(throttles.map((point) => (point.value ? point : { time: point.time })));
    this.chart.timeScale().fitContent();
  }

  updateLegend(points, throttles) {
    this.onLegend({
      limit: points.newest && this.limit(points.newest),
      throttles: Math.max(0, ...throttles.map((point) => point.value || 0)),
    });
  }
}
