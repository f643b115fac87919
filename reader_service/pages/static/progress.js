// The plots: drawn from the page's own data, in the page's own colours. Each has its table under it.
const place = document.getElementById("plots");
const numbers = new Intl.NumberFormat(document.documentElement.lang);
const LYING = ["units", "rejects"];
const STACKED = ["lanes", "verdicts"];
const ROW = 46; // pixels of one unit or reason: a chart with many is taller, and never too dense to read
let shown = [];

function colours() {
  // A computed colour, for a canvas does not know custom properties.
  const probe = document.createElement("i");
  document.body.append(probe);
  const found = {};
  for (const name of ["ink", "muted", "line", "edge", "accent", "ok", "bad", "warn", "violet", "teal"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return { ...found, idle: found.edge };
}

function options(name, colour) {
  const lying = LYING.includes(name);
  const stacked = STACKED.includes(name);
  const axis = { stacked, ticks: { color: colour.muted }, grid: { color: colour.line } };
  const values = { ...axis, beginAtZero: true, ticks: { ...axis.ticks, precision: name === "seconds" ? undefined : 0 } };
  return {
    animation: false,
    maintainAspectRatio: false,
    indexAxis: lying ? "y" : "x",
    scales: lying ? { x: values, y: axis } : { x: axis, y: values },
    plugins: { legend: { labels: { color: colour.ink } }, tooltip: { callbacks: { label: said } } },
  };
}

function said(item) {
  return `${item.dataset.label}: ${numbers.format(item.raw)}`;
}

function draw(plots) {
  for (const chart of shown) chart.destroy();
  const colour = colours();
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
      if (LYING.includes(name)) canvas.parentElement.style.height = `${70 + ROW * Math.max(3, plot.labels.length)}px`;
      return new Chart(canvas, { type: "bar", data, options: options(name, colour) });
    });
  place.dataset.drawn = String(shown.length);
}

if (place) {
  const answer = await fetch(place.dataset.source);
  if (answer.ok) {
    const plots = await answer.json();
    draw(plots);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(plots));
  }
}
