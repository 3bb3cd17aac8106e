// The arena as a map of who lies where when, and the parts of the model in flash. SPDX-License-Identifier: Apache-2.0
const arena = report.arena;
const roles = {input: 'c3', output: 'c2', state: 'c5', scratch: 'c7'};
const bufferColour = (b, i) => roles[b.role] ? colour(roles[b.role]) : palette([0, 5, 3][i % 3]);

// Buffers, and the scratch of each step as a buffer that lives for it alone.
function arenaBuffers() {
  const made = arena.buffers.map(b => ({...b, label: b.role === 'activation' || b.role === 'output' ? arena.steps[b.first].name : b.name}));
  const scratch = arena.steps.map((s, i) => ({...s, i})).filter(s => isNumber(s.scratch_bytes))
    .map(s => ({name: 'scratch of ' + s.name, label: 'scratch', role: 'scratch', offset: s.scratch_offset, bytes: s.scratch_bytes, first: s.i, last: s.i}));
  return [...made, ...scratch];
}

// The name in the middle of its rectangle, where there is room.
const bufferNames = {
  id: 'bufferNames',
  afterDatasetsDraw(chart) {
    const ctx = chart.ctx;
    ctx.save();
    ctx.font = '12px system-ui, sans-serif';
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    ctx.fillStyle = isDark() ? '#0f1216' : '#ffffff';
    chart.data.datasets.forEach((set, i) => {
      const bars = chart.getDatasetMeta(i).data.filter((bar, k) => set.data[k]);
      if (!bars.length) return;
      const wide = bars.reduce((sum, bar) => sum + bar.width, 0) - 8, high = Math.abs(bars[0].base - bars[0].y);
      if (high < 14) return;
      let name = set.shown;
      while (name.length > 3 && ctx.measureText(name).width > wide) name = name.replace(/.\u2026?$/, '\u2026');
      if (ctx.measureText(name).width <= wide) ctx.fillText(name, (bars[0].x + bars[bars.length - 1].x) / 2, (bars[0].base + bars[0].y) / 2);
    });
    ctx.restore();
  },
};

function arenaChart(buffers) {
  const n = arena.steps.length;
  const sets = buffers.map((b, i) => ({
    label: b.name, shown: b.label, role: b.role, grouped: false, barPercentage: 1, categoryPercentage: 1, minBarLength: 2, inflateAmount: .3, borderSkipped: false,
    borderWidth: c => ({top: 1, bottom: 1, left: c.dataIndex === b.first ? 1 : 0, right: c.dataIndex === b.last ? 1 : 0}), data: arena.steps.map((s, k) => k >= b.first && k <= b.last ? [b.offset, b.offset + b.bytes] : null),
  }));
  const words = `Map: ${n} steps from left to right, ${whole(arena.bytes)} bytes of arena from bottom to top, ${buffers.length} buffers as rectangles. The table below holds the same.`;
  return chart('chart-arena', words, () => ({
    type: 'bar', plugins: [bufferNames],
    data: {labels: arena.steps.map((s, i) => `${i + 1} ${brief(s.name)}`), datasets: sets.map((set, i) => ({...set, borderColor: colour('card'), backgroundColor: bufferColour(buffers[i], i)}))},
    options: options(axis('steps', {grid: {display: false}, ticks: {minRotation: n > 8 ? 50 : 0, maxRotation: 60, autoSkip: false}}), axis('bytes of the arena', {min: 0, max: arena.bytes, ticks: {callback: whole}}),
      {legend: false, mode: 'nearest', label: item => item.raw && `${item.dataset.label} (${item.dataset.role}): ${whole(item.raw[0])} to ${whole(item.raw[1])}, ${whole(item.raw[1] - item.raw[0])} bytes`}),
  }), {least: n > 8 ? 44 * n + 80 : 0});
}

function arenaLegend(buffers) {
  const used = Object.keys(roles).filter(role => buffers.some(b => b.role === role));
  const swatch = (role, name) => el('li', {}, el('span', {class: 'swatch ' + role, 'aria-hidden': true}), name);
  return hasCharts ? el('ul', {class: 'legend'}, used.map(role => swatch(role, role)), swatch('activation', 'activations')) : null;
}

function arenaSection() {
  if (!arena || !arena.steps.length) return null;
  const buffers = arenaBuffers();
  const stepName = i => `${i + 1} ${arena.steps[i].name}`;
  const tight = arena.bytes === arena.lower_bound ? 'No plan can need less for these steps.' : `No plan could need less than ${whole(arena.lower_bound)}.`;
  const segments = (arena.segments || []).map(([a, b]) => `${stepName(a)} to ${stepName(b)}`);
  return section('arena', 'Arena', paragraph(`All activations and scratch share ${whole(arena.bytes)} bytes of RAM. ${tight} A buffer takes its bytes from its first step to its last; two may share bytes when they are never needed together, and a step that works element by element may write over its input.`),
    segments.length ? paragraph('Run line by line, without whole maps between them: ' + segments.join('; ') + '.') : null,
    arenaLegend(buffers), arenaChart(buffers),
    folded('The map as a table', table('Buffers in the arena', [
      {head: 'Buffer', left: true, of: b => b.name}, {head: 'Role', left: true, of: b => b.role}, {head: 'From byte', of: b => whole(b.offset)},
      {head: 'Bytes', of: b => whole(b.bytes)}, {head: 'First step', left: true, of: b => stepName(b.first)}, {head: 'Last step', left: true, of: b => stepName(b.last)}], buffers, {tall: true})));
}

// --- flash: of model.thim, and of the firmware that holds the model as C ---

const predicted = report.predicted || {};

function flashRows() {
  const rows = report.flash.parts.map(p => ({...p, thim: p.bytes}));
  for (const part of (report.firmware || {}).parts || []) {
    const row = rows.find(r => r.name === part.name);
    if (row) row.firmware = part.bytes;
    else rows.push({...part, firmware: part.bytes});
  }
  return [...rows, {name: 'all', thim: report.flash.bytes, firmware: (report.firmware || {}).bytes}];
}

function flashText() {
  const f = report.firmware;
  return `model.thim takes ${whole(report.flash.bytes)} bytes; a program that reads it brings its kernels and decoders. ` + (f
    ? `The firmware for ${predicted.target}, the model as C with the code that it needs, takes ${whole(f.bytes)} as predicted; thimble bench builds and measures it.`
    : 'thimble bench builds the firmware and measures it.');
}

function flashSection() {
  if (!report.flash) return null;
  const rows = flashRows(), parts = rows.slice(0, -1), f = report.firmware;
  const names = [['thim', 'model.thim', 'c1'], f && ['firmware', 'firmware (predicted)', 'c2']].filter(n => n);
  const words = 'Bars: bytes of each part: ' + names.map(([key, name]) => `${name}: ` + parts.filter(p => p[key]).map(p => `${p.name} ${whole(p[key])}`).join(', ')).join('; ');
  return section('flash', 'Flash', paragraph(flashText()),
    chart('chart-flash', words, () => ({
      type: 'bar', data: {labels: parts.map(p => p.name), datasets: names.map(([key, name, c]) => ({label: name, data: parts.map(p => p[key] || 0), backgroundColor: colour(c), maxBarThickness: 16}))},
      options: options(axis('bytes', {beginAtZero: true, ticks: {callback: compact}}), axis('', {title: {display: false}, grid: {display: false}, ticks: {autoSkip: false}}), {legend: names.length > 1, horizontal: true, label: item => `${item.dataset.label}: ${whole(item.raw)} bytes`}),
    })),
    table('Parts of the model', [{head: 'Part', left: true, of: p => p.name}, ...names.flatMap(([key, name]) => [
      {head: name, of: p => whole(p[key])}, {head: 'Share', of: p => isNumber(p[key]) ? percent(p[key] / rows[rows.length - 1][key], 1) : ''}]),
      {head: 'What it is', left: true, of: p => p.what || ''}], rows, {mark: p => p.name === 'all'}));
}
