// Charts by Chart.js: what all of them share (colours by theme, no animation), and drawing again when the theme changes.
// A chart is a canvas with a description in words; its numbers stand in a table beside it. SPDX-License-Identifier: Apache-2.0
const hasCharts = typeof Chart !== 'undefined';
const drawn = new Map(); // canvas -> function that gives its configuration in the colours of the moment

const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const palette = i => colour('c' + (i % 8 + 1));
const faded = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, '0');

function axis(title, more = {}) {
  return {
    title: {display: true, text: title, color: colour('soft')}, ticks: {color: colour('soft'), ...more.ticks},
    grid: {color: colour('line'), borderColor: colour('line-strong')}, ...Object.fromEntries(Object.entries(more).filter(([k]) => k !== 'ticks')),
  };
}

const logarithmic = {type: 'logarithmic', ticks: {maxRotation: 0, callback: v => /^[125]0*$/.test(String(v)) ? compact(v) : ''}};

function options(x, y, {legend = true, label, title, mode = 'nearest', horizontal} = {}) {
  return {
    animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
    indexAxis: horizontal ? 'y' : 'x', scales: {x, y}, interaction: {mode, intersect: false},
    plugins: {
      legend: {display: legend, labels: {color: colour('text'), boxWidth: 14, usePointStyle: true}},
      tooltip: {callbacks: {...(label && {label}), ...(title && {title})}},
    },
  };
}

// Names beside points, for charts that give their points a `name`: at the first of four places that is free.
const pointNames = {
  id: 'pointNames',
  afterDatasetsDraw(chart) {
    const ctx = chart.ctx, area = chart.chartArea, taken = [];
    const isFree = box => box.x >= area.left && box.x + box.w <= area.right && box.y >= area.top &&
      taken.every(t => box.x + box.w < t.x || t.x + t.w < box.x || box.y + 14 < t.y || t.y + 14 < box.y);
    ctx.save();
    ctx.font = '12px system-ui, sans-serif';
    ctx.fillStyle = colour('text');
    ctx.textBaseline = 'top';
    chart.data.datasets.forEach((set, i) => chart.getDatasetMeta(i).data.forEach((point, k) => {
      const name = set.data[k].name, w = name ? ctx.measureText(name).width : 0;
      const places = [[9, -18], [9, 6], [-9 - w, -18], [-9 - w, 6], [-w / 2, -24], [-w / 2, 12]].map(([dx, dy]) => ({x: point.x + dx, y: point.y + dy, w}));
      const box = places.find(isFree);
      if (!name || !box) return;
      taken.push(box);
      ctx.fillText(name, box.x, box.y);
    }));
    ctx.restore();
  },
};

// The chart `make()` describes, `words` for those who do not see it. Without the library: nothing, the tables stay.
function chart(id, words, make, {className = 'chart', least} = {}) {
  if (!hasCharts) return null;
  const canvas = el('canvas', {id, role: 'img', 'aria-label': words});
  drawn.set(canvas, make);
  const box = el('div', {class: className + (least ? ' wide' : '')}, canvas);
  if (!least) return box;
  box.style.setProperty('--least', least + 'px');
  return scrolling(words, box);
}

function draw(canvas) {
  const old = Chart.getChart(canvas);
  if (old) old.destroy();
  new Chart(canvas, drawn.get(canvas)());
}

function drawAll() {
  if (hasCharts) for (const canvas of drawn.keys()) if (canvas.isConnected) draw(canvas);
}

function redraw(id) {
  const canvas = document.getElementById(id);
  if (hasCharts && canvas) draw(canvas);
}

// --- light or dark: what the system says, until the button was pressed ---

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme || (systemDark.matches ? 'dark' : 'light')) === 'dark';

function showTheme() {
  const button = document.getElementById('theme');
  button.textContent = isDark() ? 'Light colours' : 'Dark colours';
  drawAll();
}

function startTheme() {
  try {
    const kept = localStorage.getItem('thimble-theme');
    if (kept === 'dark' || kept === 'light') document.documentElement.dataset.theme = kept;
  } catch (e) { /* a browser may refuse storage to files */ }
  document.getElementById('theme').addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('thimble-theme', document.documentElement.dataset.theme); } catch (e) { /* as above */ }
    showTheme();
  });
  systemDark.addEventListener('change', showTheme);
  showTheme();
}
