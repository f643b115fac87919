// The plots, in the page's own colours. The table below each has the same figures.
const place = document.getElementById("plots");
const numbers = new Intl.NumberFormat(document.documentElement.lang);
const HORIZONTAL = ["units", "rejects"];
const STACKED = ["lanes", "verdicts"];
const ROW = 46; // pixels of one unit or reason: a chart of many is taller
let shown = [];

function colours() {
  // Computed colours, as a canvas knows no custom properties.
  const probe = document.createElement("i");
  document.body.append(probe);
  const computed = {};
  for (const name of ["ink", "muted", "line", "edge", "accent", "ok", "bad", "warn", "violet", "teal", "rose", "olive", "sky", "copper", "brown", "indigo", "plum"]) {
    probe.style.color = `var(--${name})`;
    computed[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return { ...computed, idle: computed.edge };
}

function options(name, colour, print) {
  const horizontal = HORIZONTAL.includes(name);
  const stacked = STACKED.includes(name);
  const axis = { stacked, ticks: { color: colour.muted }, grid: { color: colour.line } };
  const values = { ...axis, beginAtZero: true, ticks: { ...axis.ticks, precision: name === "seconds" ? undefined : 0 } };
  return {
    animation: false,
    devicePixelRatio: print ? 3 : undefined,
    maintainAspectRatio: false,
    indexAxis: horizontal ? "y" : "x",
    scales: horizontal ? { x: values, y: axis } : { x: axis, y: values },
    plugins: { legend: { labels: { color: colour.ink } }, tooltip: { callbacks: { label: valueLabel } } },
  };
}

function valueLabel(item) {
  return `${item.dataset.label}: ${numbers.format(item.raw)}`;
}

function draw(plots, print = false) {
  for (const chart of shown) chart.destroy();
  const root = document.documentElement;
  const theme = root.dataset.theme;
  if (print) root.dataset.theme = "light"; // dark bars on white paper
  const colour = colours();
  root.dataset.theme = theme;
  Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
  shown = Object.entries(plots)
    .filter(([name]) => document.getElementById(`plot-${name}`))
    .map(([name, plot]) => {
      const datasets = plot.series.map((one, at) => ({
        label: one.label,
        data: one.values,
        backgroundColor: colour[one.colour],
        borderColor: colour.ink,
        borderWidth: STACKED.includes(name) && at ? { top: 1 } : 0,
        maxBarThickness: 34,
      }));
      const data = { labels: plot.labels, datasets };
      const canvas = document.getElementById(`plot-${name}`);
      if (HORIZONTAL.includes(name)) canvas.parentElement.style.height = `${70 + ROW * Math.max(3, plot.labels.length)}px`;
      return new Chart(canvas, { type: "bar", data, options: options(name, colour, print) });
    });
  place.dataset.drawn = String(shown.length);
}

if (place) {
  const response = await fetch(place.dataset.source);
  if (response.ok) {
    const plots = await response.json();
    draw(plots);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(plots));
    addEventListener("beforeprint", () => draw(plots, true));
    addEventListener("afterprint", () => draw(plots));
  }
}
