// Layers: what each takes, what its weights look like, and the words of its code. SPDX-License-Identifier: Apache-2.0
const layers = report.layers || [];
const comparison = (report.measured || {}).comparison || {};
const errorOf = name => ((comparison.layers || []).find(l => l.name === name) || {}).relative_error;

const sensitivity = (fit.sensitivity || (report.measured || {}).sensitivity || []).filter(s => isNumber(s.drop)); // drop: points, or percent of an error

// Of the settings that were tried on a layer, the one that hurt most.
function sensitivityOf(name) {
  const tried = sensitivity.filter(s => s.layer === name);
  return tried.length ? tried.reduce((a, b) => b.drop > a.drop ? b : a) : null;
}

const predictedLayers = (report.predicted || {}).layers || [];
function instructionsOf(name) {
  const found = predictedLayers.find(l => l.name === name) || {};
  return found.instructions || found.cycles;
}

const measures = [
  ['bytes', 'bytes in flash', l => l.bytes, whole],
  ['macs', 'multiplications (MACs)', l => l.macs, whole],
  ['instructions', 'instructions, predicted', l => instructionsOf(l.name), whole],
  ['sparsity', 'zeros among its weights, %', l => isNumber(l.sparsity) ? 100 * l.sparsity : null, v => fixed(v, 1)],
  ['bits', 'bits per weight', l => l.bits_per_weight, v => fixed(v, 2)],
  ['sensitivity', `sensitivity: ${lossUnit} lost`, l => (s => s ? s.drop : null)(sensitivityOf(l.name)), v => fixed(v, 2)],
].filter(([, , of]) => layers.some(l => isNumber(of(l)) && of(l) !== 0));
let measure = measures[0];

function layersChart() {
  if (!measures.length) return null;
  const shown = layers.filter(l => l.params > 0 || l.macs > 0);
  const c = chart('chart-layers', 'Bars: one per layer; the table below holds the numbers.', () => ({
    type: 'bar',
    data: {labels: shown.map(l => brief(l.name)), datasets: [{label: measure[1], data: shown.map(l => isNumber(measure[2](l)) ? measure[2](l) : 0), backgroundColor: colour('c1'), maxBarThickness: 26}]},
    options: options(axis(measure[1], {beginAtZero: true}), axis('', {title: {display: false}, grid: {display: false}, ticks: {autoSkip: shown.length > 40}}),
      {legend: false, horizontal: true, label: item => measure[3](item.raw)}),
  }));
  if (c) c.style.height = Math.min(60, 5 + 1.6 * shown.length) + 'rem';
  return c;
}

function layerColumns() {
  const most = key => Math.max(1, ...layers.map(l => l[key] || 0));
  const mostBytes = most('bytes'), mostMacs = most('macs');
  const withMeter = (v, all) => isNumber(v) && v > 0 ? [whole(v), meter(v / all)] : '';
  const has = of => layers.some(l => of(l) !== undefined && of(l) !== null);
  const cell = parts => el('span', {}, parts);
  return [
    {head: 'Layer', left: true, of: l => l.name},
    {head: 'Operator', left: true, of: l => l.op},
    {head: 'Output', left: true, of: l => l.shape},
    {head: 'Parameters', of: l => l.params ? whole(l.params) : ''},
    {head: 'MACs', of: l => cell(withMeter(l.macs, mostMacs))},
    has(l => instructionsOf(l.name)) && {head: 'Instructions', of: l => whole(instructionsOf(l.name))},
    has(l => l.bytes) && {head: 'Bytes', of: l => cell(withMeter(l.bytes, mostBytes))},
    {head: 'Zeros', of: l => percent(l.sparsity, 1)},
    has(l => l.bits_per_weight) && {head: 'Bits/weight', of: l => fixed(l.bits_per_weight, 2)},
    has(l => l.coder) && {head: 'Coder', left: true, of: l => l.coder || ''},
    has(l => sensitivityOf(l.name)) && {head: 'Sensitivity', of: l => {
      const s = sensitivityOf(l.name);
      return s ? el('span', {title: `${s.technique} ${s.setting}`}, fixed(s.drop, 2)) : '';
    }},
    has(l => errorOf(l.name)) && {head: 'Error', of: l => isNumber(errorOf(l.name)) ? fixed(errorOf(l.name), 3) : ''},
  ].filter(c => c);
}

function sensitivityTable() {
  if (!sensitivity.length) return null;
  return folded('Sensitivity: each layer changed alone', table(`${metricName} on the ${measuredOn} split when one layer is changed alone, without training`, [
    {head: 'Layer', left: true, of: s => s.layer || 'all of them'}, {head: 'Technique', left: true, of: s => s.technique},
    {head: 'Setting', left: true, of: s => String(s.setting)}, {head: metricName, of: s => metricText(s[metric])},
    {head: 'Lost', of: s => fixed(s.drop, 2)}], sensitivity, {tall: true}));
}

function layersSection() {
  if (!layers.length) return null;
  const terms = 'Bytes are all that a layer needs in model.thim: coded weights, code tables, biases, scales, parameters.' +
    (sensitivity.length ? ` Sensitivity is the largest loss, in ${lossUnit}, when that layer alone was changed.` : '') +
    (comparison.layers ? ' Error is that of the layer\'s outputs, relative to the network as it came in.' : '');
  return section('layers', 'Layers', paragraph(terms),
    hasCharts && measures.length > 1 ? el('div', {class: 'row'}, choice('Show', measures.map(m => [m[0], m[1]]), key => { measure = measures.find(m => m[0] === key); redraw('chart-layers'); })) : null,
    layersChart(), table('Layers in order', layerColumns(), layers), sensitivityTable());
}

// --- the weights of one layer ---

const weighted = layers.filter(l => l.histogram);
let layer = weighted.reduce((a, b) => a && a.weights >= b.weights ? a : b, null); // the largest

const binCentre = (h, i, n) => h.lo + (h.hi - h.lo) * (i + .5) / n;
const binSets = h => [['Before', h.before], ['After', h.after]].filter(([, part]) => part);

const shareOf = (part, n) => 100 * n / Math.max(1, part.weights - part.zeros); // zeros, which are not drawn, do not count

function histogramText() {
  const h = layer.histogram;
  return binSets(h).map(([when, part]) => `${when}: ${whole(part.weights)} weights, ${whole(part.zeros)} of them zero.`).join(' ') + ' Zeros are not drawn.' +
    (h.centroids ? ` The weights share ${h.centroids.length} values.` : '');
}

function histogramChart() {
  const h = layer.histogram, style = {Before: ['c7', .45], After: ['c1', .75]};
  const sets = binSets(h).map(([when, part]) => ({
    label: when, data: part.bins.map((n, i) => ({x: binCentre(h, i, part.bins.length), y: shareOf(part, n), n})),
    backgroundColor: faded(colour(style[when][0]), style[when][1]), grouped: false, barPercentage: 1, categoryPercentage: 1,
  })).reverse();
  const marks = (h.centroids || []).filter(c => c[0] !== 0).map(([x, n]) => ({x, y: shareOf(h.after, n), n}));
  if (marks.length) sets.unshift({type: 'scatter', label: 'shared values', data: marks, pointStyle: 'triangle', pointRadius: 6, backgroundColor: colour('c2'), borderColor: colour('card'), order: -1});
  return {
    type: 'bar', data: {datasets: sets},
    options: options(axis('weight', {type: 'linear', offset: false, min: h.lo - .03 * (h.hi - h.lo), max: h.hi + .03 * (h.hi - h.lo), grid: {display: false}, ticks: {callback: short, maxRotation: 0, includeBounds: false}}), axis('% of the weights that are not zero', {beginAtZero: true}),
      {label: item => `${item.dataset.label}: ${whole(item.raw.n)} weights near ${short(item.raw.x)}`, title: () => ''}),
  };
}

const levelsShown = () => (layer.levels || []).filter(l => l[0] !== 0);

function levelsChart() {
  return {
    type: 'bar',
    data: {datasets: [{label: 'weights', data: levelsShown().map(([x, y]) => ({x, y})), backgroundColor: colour('c3'), barThickness: levelsShown().length > 40 ? 2 : 5}]},
    options: options(axis('integer in the program', {type: 'linear', min: -128, max: 128, ticks: {stepSize: 32, maxRotation: 0}, grid: {display: false}}),
      axis('weights', {beginAtZero: true, ticks: {callback: whole}}), {legend: false, label: item => `${item.raw.x}: ${whole(item.raw.y)} weights`, title: () => ''}),
  };
}

const codeNames = {weights: 'Words for weights', values: 'Words for weights that are not zero', gaps: 'Words for the zeros before them'};
const wordName = (code, word) => code.kind !== 'gaps' ? String(word[0])
  : word[0] === code.escape ? 'escape' : code.plain_bits ? `${word[0] << code.plain_bits} to ${(word[0] + 1 << code.plain_bits) - 1}` : String(word[0]);
const byNumber = code => [...code.words].sort((a, b) => a[0] - b[0]);
const plainBits = (code, word) => code.kind === 'gaps' ? (word[0] === code.escape ? 0 : code.plain_bits) : code.extra;

function codeChart(code) {
  const words = byNumber(code);
  return {
    type: 'bar',
    data: {labels: words.map(w => wordName(code, w)), datasets: [{label: 'bits of the word', data: words.map(w => w[1]), backgroundColor: colour('c4')}]},
    options: options(axis(code.kind === 'gaps' ? 'zeros in a row' : 'integer in the program', {grid: {display: false}, ticks: {maxRotation: 60, autoSkip: true}}), axis('bits', {beginAtZero: true, ticks: {precision: 0}}),
      {legend: false, label: item => `${item.raw} bits, used ${whole(words[item.dataIndex][2])} times`}),
  };
}

function codeText(code) {
  const uses = code.words.reduce((n, w) => n + w[2], 0), bits = code.words.reduce((n, w) => n + w[2] * (w[1] + plainBits(code, w)), 0);
  return `${code.words.length} words, ${whole(uses)} uses, ${fixed(bits / Math.max(1, uses), 2)} bits on average.`;
}

function codeParts() {
  return (layer.codes || []).map(code => el('div', {}, el('h4', {}, codeNames[code.kind]), paragraph(codeText(code)),
    chart('chart-code-' + code.kind, `Bars: bits of each word. ${codeNames[code.kind]}: ${codeText(code)}`, () => codeChart(code), {className: 'chart low'}),
    folded('The words as a table', table(codeNames[code.kind], [
      {head: code.kind === 'gaps' ? 'Zeros' : 'Integer', left: true, of: w => wordName(code, w)}, {head: 'Bits', of: w => w[1]},
      {head: 'Plain bits after it', of: w => plainBits(code, w)}, {head: 'Uses', of: w => whole(w[2])}], byNumber(code), {tall: true}))));
}

function histogramTable() {
  const h = layer.histogram, n = h.after.bins.length;
  const columns = [{head: 'Weights from', left: true, of: i => short(h.lo + (h.hi - h.lo) * i / n)}, {head: 'to', of: i => short(h.lo + (h.hi - h.lo) * (i + 1) / n)},
    ...binSets(h).map(([when, part]) => ({head: when, of: i => whole(part.bins[i])}))];
  const full = [...Array(n).keys()].filter(i => binSets(h).some(([, part]) => part.bins[i]));
  return folded('The histogram as a table', table('Weights that are not zero, by size', columns, full, {tall: true}),
    h.centroids ? table('Shared values', [{head: 'Value', left: true, of: c => short(c[0])}, {head: 'Weights', of: c => whole(c[1])}], h.centroids, {tall: true}) : null);
}

function levelsPart() {
  if (!layer.levels) return null;
  const words = `${layer.levels.length} different integers are in use` + (layer.levels.some(l => l[0] === 0) ? ', zero among them (not drawn).' : '.');
  return el('div', {}, el('h3', {}, 'Integers in the program'), paragraph(words),
    chart('chart-levels', 'Bars: ' + words, levelsChart),
    folded('The integers as a table', table('Integers in use', [{head: 'Integer', left: true, of: l => l[0]}, {head: 'Weights', of: l => whole(l[1])}], layer.levels, {tall: true})));
}

const coderTexts = {
  raw: 'a byte for each weight, as it is.', bitpack: 'the number of a value in a table, all of the same width.', huffman: 'frequent integers have short words.',
  gap_huffman: 'pairs of how many zeros come, and the weight behind them; frequent ones have short words.',
  context: 'fractions of bits by chances learned from the weights nearby; there are no words.',
  range: 'fractions of bits by how probable an integer is; there are no words.',
};

function weightsParts() {
  const codes = codeParts();
  return [el('div', {class: 'pair'},
    el('div', {}, el('h3', {}, layer.histogram.before ? 'Before and after' : 'Weights'), paragraph(histogramText()),
      chart('chart-histogram', 'Histogram. ' + histogramText(), histogramChart), histogramTable()), levelsPart()),
    layer.coder ? el('h3', {}, 'Code') : null,
    layer.coder ? paragraph(`Coder ${layer.coder}: ${coderTexts[layer.coder] || ''} ${whole(layer.weight_bytes)} bytes, and ${whole(layer.table_bytes)} of its table.`) : null,
    el('div', {class: 'pair'}, codes)].filter(part => part);
}

function weightsSection() {
  if (!weighted.length) return null;
  const box = el('div', {id: 'weights-of-layer', 'aria-live': 'polite'});
  const fill = () => {
    for (const canvas of box.querySelectorAll('canvas')) drawn.delete(canvas);
    box.replaceChildren(...weightsParts());
    if (box.isConnected) for (const canvas of box.querySelectorAll('canvas')) draw(canvas);
  };
  const select = choice('Layer', weighted.map((l, i) => [i, l.name]), i => { layer = weighted[i]; fill(); });
  select.querySelector('select').value = weighted.indexOf(layer);
  fill();
  return section('weights', 'Weights', el('div', {class: 'row'}, select), box);
}
