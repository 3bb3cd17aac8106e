// What was reached, stage by stage, the front of a search, and the recipe. SPDX-License-Identifier: Apache-2.0
const stages = report.stages || [];
const firstStage = stages[0] || {}, lastStage = stages[stages.length - 1] || {};
const isLossless = isNumber(report.verified_samples);
const hasAccuracy = stages.some(s => isNumber(s.accuracy));

// --- the head: one sentence, a few figures, the way to the sections ---

function figure(name, value, more) {
  return value ? el('div', {}, el('dt', {}, name), el('dd', {}, value), more ? el('dd', {}, more) : '') : '';
}

function sentence() {
  const size = `The model takes ${whole(lastStage.bytes)} bytes of flash` +
    (lastStage.ratio > 1 ? `, ${fixed(lastStage.ratio, 1)} times less than its weights as float32` : '');
  if (isLossless) return `${size}. Every output bit is as before, compared on ${whole(report.verified_samples)} samples.`;
  const change = lastStage.change;
  if (!isNumber(lastStage.accuracy)) return `${size}.`;
  const points100 = Math.abs(100 * change).toFixed(2);
  return `${size}; ${percent(lastStage.accuracy)} of the test samples are answered right` +
    (isNumber(change) && stages.length > 1 ? `, ${points100} points ${change < 0 ? 'fewer' : 'more'} than at the start.` : '.');
}

function headSection() {
  const arena = report.arena || {}, soon = report.predicted || {};
  const changed = isNumber(lastStage.change) && stages.length > 1 ? points(lastStage.change) + ' points' : '';
  const figures = el('dl', {class: 'figures'},
    figure('Model in flash', bytes(lastStage.bytes), lastStage.ratio > 1 && fixed(lastStage.ratio, 1) + 'x smaller than float32'),
    figure('Accuracy', percent(lastStage.accuracy), changed),
    figure('Mean squared error', short(lastStage.mse)),
    figure('Firmware in flash', bytes(soon.flash_bytes), 'predicted, with its code'),
    figure('RAM', bytes(soon.ram_bytes || arena.bytes), soon.ram_bytes ? `arena ${bytes(arena.bytes)}, the rest stack` : 'arena'),
    figure(soon.cycles ? 'Cycles' : 'Instructions', whole(soon.cycles || soon.instructions), 'per inference, predicted'),
    figure('Weights that are zero', percent(lastStage.sparsity, 1)),
    figure('Bits per weight', fixed(lastStage.bits_per_weight, 2)),
    soon.instructions || soon.cycles ? '' : figure('Multiplications', whole(lastStage.macs), 'per inference'));
  const nav = el('nav', {'aria-label': 'Sections'}, el('ul', {},
    sections.map(s => el('li', {}, el('a', {href: '#' + s.id}, s.title)))));
  const target = report.target ? `Compiled for ${report.target}. ` : '';
  const seed = isNumber(report.seed) ? `Seed ${report.seed}.` : '';
  return el('section', {class: 'head', 'aria-labelledby': 'title'}, el('h1', {id: 'title'}, report.name),
    paragraph(sentence()), el('p', {class: 'soft'}, target + seed), figures, nav);
}

// --- stages ---

function stageColumns() {
  const varies = key => stages.some(s => s[key] !== firstStage[key]);
  const has = key => stages.some(s => isNumber(s[key]));
  const columns = [
    {head: 'Stage', left: true, of: s => s.name},
    {head: 'Bytes', of: s => whole(s.bytes)},
    {head: 'Ratio', of: s => isNumber(s.ratio) ? fixed(s.ratio, 1) + 'x' : ''},
    has('accuracy') && {head: 'Accuracy', of: s => percent(s.accuracy)},
    has('mse') && {head: 'Squared error', of: s => short(s.mse)},
    has('change') && {head: 'Change', of: s => el('span', {class: s.change < 0 ? 'bad' : s.change > 0 && 'good'}, points(s.change))},
    has('validation_accuracy') && {head: 'Validation', of: s => percent(s.validation_accuracy)},
    {head: 'Zeros', of: s => percent(s.sparsity, 1)},
    {head: 'Bits/weight', of: s => fixed(s.bits_per_weight, 2)},
    varies('macs') && {head: 'MACs', of: s => whole(s.macs)},
    varies('params') && {head: 'Parameters', of: s => whole(s.params)},
    {head: 'Seconds', of: s => fixed(s.seconds, 1)},
  ];
  return columns.filter(c => c);
}

function stagesChart() {
  const all = stages.map(s => s.bytes), far = Math.max(...all) > 20 * Math.min(...all);
  const words = `Bars: bytes in flash after each stage${far ? ', on a logarithmic scale' : ''}: ` +
    stages.map(s => `${s.name} ${whole(s.bytes)}`).join(', ');
  return chart('chart-stages', words, () => ({
    type: 'bar',
    data: {labels: stages.map(s => brief(s.name)), datasets: [{label: 'bytes', data: stages.map(s => s.bytes), backgroundColor: colour('c1'), maxBarThickness: 34}]},
    options: options(axis('bytes in flash', far ? logarithmic : {beginAtZero: true, ticks: {callback: compact}}),
      axis('', {title: {display: false}, grid: {display: false}}),
      {legend: false, horizontal: true, label: item => whole(item.raw) + ' bytes'}),
  }), {className: 'chart low'});
}

function stagesSection() {
  if (!stages.length) return null;
  const what = isLossless ? 'Bytes are those of the deployed program: weights raw, in the last row coded.'
    : 'Bytes after each stage: float32 counts 4 per parameter; after pruning a bitmap and what is left; after clustering the ' +
      'coded values; after quantizing the integers in as few bits as they need; after sweeping, and in the last row, the whole model.thim.' +
      (hasAccuracy ? ' Accuracy and its change, in points, are those of the test split; settings are chosen by the validation split.' : '');
  return section('stages', 'Stages', paragraph(what), table('What each stage did', stageColumns(), stages,
    {mark: (s, i) => i === stages.length - 1}), stagesChart());
}

// --- the front: of a search, or just of the stages ---

const fit = report.fit || {};
const metric = fit.metric || (report.measured || {}).metric || 'accuracy'; // or auc, mse
const metricText = v => metric === 'accuracy' ? percent(v) : short(v);
const metricHeight = t => metric === 'accuracy' ? 100 * t[metric] : t[metric];
const metricName = {accuracy: 'Accuracy', auc: 'AUC', mse: 'Squared error'}[metric] || metric;
const measuredOn = fit.measured_on || 'validation';
const lossUnit = metric === 'mse' ? 'percent' : 'points'; // of "drop": what was lost against the network as it came in
const trials = (fit.trials || []).filter(t => isNumber(t[metric]));
const frontIds = new Set(fit.front || []);
const frontTrials = trials.filter(t => frontIds.has(t.id));
const costs = [['bytes', 'model bytes'], ['flash_bytes', 'flash bytes'], ['ram_bytes', 'RAM bytes'], ['instructions', 'instructions']]
  .filter(([key]) => trials.some(t => t[key] > 0));
let frontCost = costs.length ? costs[0][0] : 'bytes';

// Trials that no cheaper one betters. The front has others, too: they are best in RAM, say, while the plot shows bytes.
function bestAtCost(key) {
  const better = (a, b) => metric === 'mse' ? a < b : a > b;
  return [...trials].filter(t => t[key] > 0).sort((a, b) => a[key] - b[key] || (better(b[metric], a[metric]) ? 1 : -1))
    .reduce((best, t) => !best.length || better(t[metric], best[best.length - 1][metric]) ? [...best, t] : best, []);
}

const pointOf = key => t => ({x: t[key], y: metricHeight(t), id: t.id});

function frontSets() {
  const of = pointOf(frontCost);
  const limit = (fit.limits || {})[frontCost], heights = trials.map(metricHeight);
  const chosen = trials.filter(t => t.id === fit.chosen), nearest = trials.filter(t => t.id === (fit.nearest || {}).id);
  const large = {pointStyle: 'rectRot', pointRadius: 10, pointHoverRadius: 11, backgroundColor: colour('c2'), borderColor: colour('text'), borderWidth: 1.5};
  return [
    {label: 'chosen', data: chosen.map(of), ...large},
    {label: 'nearest miss', data: nearest.map(of), ...large},
    {label: 'front', data: frontTrials.map(of), borderColor: colour('c1'), backgroundColor: colour('c1'), pointRadius: 5},
    {label: 'other trials', data: trials.filter(t => !frontIds.has(t.id)).map(of), backgroundColor: faded(colour('c7'), .6), borderColor: colour('c7'), pointRadius: 4},
    {label: 'best at its cost', data: bestAtCost(frontCost).map(of), showLine: true, pointRadius: 0, pointHitRadius: 0, borderColor: colour('c1'), borderWidth: 1.5},
    isNumber(limit) && {label: 'limit', data: [{x: limit, y: Math.min(...heights)}, {x: limit, y: Math.max(...heights)}], showLine: true, pointRadius: 0, borderDash: [6, 4], borderColor: colour('c8')},
  ].filter(set => set && set.data.length);
}

function searchChart() {
  const isFar = () => { const all = trials.map(t => t[frontCost]).filter(v => v > 0); return Math.max(...all) > 20 * Math.min(...all); };
  const words = `Points: ${metricName} of ${trials.length} trials against their cost; ${frontTrials.length} of them are on the front.`;
  return chart('chart-front', words, () => ({
    type: 'scatter', data: {datasets: frontSets()},
    options: options(axis(costs.find(c => c[0] === frontCost)[1], isFar() ? logarithmic : {ticks: {callback: compact}}),
      axis(`${metricName} on the ${measuredOn} split${metric === 'accuracy' ? ', %' : ''}`, {grace: '5%'}),
      {label: item => item.raw.id === undefined ? `limit ${whole(item.raw.x)}` : `trial ${item.raw.id}: ${whole(item.raw.x)}, ${short(item.raw.y)}`}),
  }));
}

const oneLine = recipe => String(recipe || '').replace(/^(seed:.*|stages:\s*)$/gm, '').replace(/\s*\n\s*/g, ' ').trim();
const trialMark = t => t.id === fit.chosen ? ' (chosen)' : t.id === (fit.nearest || {}).id ? ' (nearest)' : frontIds.has(t.id) ? ' (front)' : '';

function trialColumns(rows) {
  const has = key => rows.some(t => t[key] !== undefined && t[key] !== null);
  return [
    {head: 'Trial', left: true, of: t => t.id + trialMark(t)},
    has('what') && {head: 'What', left: true, of: t => t.what},
    ...costs.map(([key, text]) => ({head: text[0].toUpperCase() + text.slice(1), of: t => whole(t[key])})),
    {head: metricName, of: t => metricText(t[metric])},
    has('drop') && {head: 'Lost', of: t => fixed(t.drop, 2)},
    has('optimize') && {head: 'Build', left: true, of: t => [t.optimize, t.coder].filter(x => x).join(', ')},
    has('seconds') && {head: 'Seconds', of: t => fixed(t.seconds, 1)},
    {head: 'Recipe', left: true, of: t => el('code', {}, oneLine(t.recipe))},
  ].filter(c => c);
}

function limitsText() {
  const l = fit.limits || {}, parts = [];
  if (isNumber(l.flash_bytes)) parts.push(`flash ${whole(l.flash_bytes)} bytes`);
  if (isNumber(l.ram_bytes)) parts.push(`RAM ${whole(l.ram_bytes)} bytes`);
  if (isNumber(l.max_drop)) parts.push(`at most ${short(l.max_drop)} ${l.max_drop === 1 ? lossUnit.replace('points', 'point') : lossUnit} lost`);
  if (isNumber(l.min_accuracy)) parts.push(`accuracy at least ${percent(l.min_accuracy)}`);
  return (parts.length ? `Limits${fit.device ? ` of ${fit.device}` : ''}: ${parts.join(', ')}. ` : '') +
    (fit.target ? `Flash, RAM and instructions are predicted for ${fit.target}. ` : '');
}

function outcomeText() {
  const judged = isNumber(fit.test) ? ` On the test split, by which nothing was chosen, its ${metric === 'accuracy' ? metric : metricName} is ${metricText(fit.test)}.` : '';
  if (isNumber(fit.chosen)) return `Trial ${fit.chosen} was chosen; the rest of this page shows it.${judged}`;
  const n = fit.nearest || {}, gives = {flash: 'flash', ram: 'RAM'}[n.limit] || (n.limit ? `the loss of ${metric === 'accuracy' ? metric : metricName}` : '');
  return 'No trial keeps all limits' + (isNumber(n.id) ? `; the nearest is trial ${n.id}` + (gives ? `, for which ${gives} would have to give.` : '.') : '.') + judged;
}

function searchSection() {
  const ordered = [...frontTrials].sort((a, b) => a.bytes - b.bytes), mark = t => t.id === fit.chosen;
  return section('front', 'Front', paragraph(limitsText() + outcomeText()),
    hasCharts && costs.length > 1 ? el('div', {class: 'row'}, choice('Cost', costs, key => { frontCost = key; redraw('chart-front'); })) : null,
    searchChart(),
    table('Trials on the front', trialColumns(ordered), ordered, {mark, tall: true}),
    folded(`All ${trials.length} trials`, table('All trials', trialColumns(trials), trials, {mark, tall: true})));
}

function stagesFrontSection() {
  const measured = stages.filter(s => isNumber(s.accuracy) && isNumber(s.bytes));
  if (measured.length < 2 || isLossless) return null;
  const words = 'Points: accuracy against bytes of each stage: ' + measured.map(s => `${s.name} ${whole(s.bytes)} bytes, ${percent(s.accuracy)}`).join('; ');
  return section('front', 'Bytes against accuracy',
    paragraph('The way of the model through its stages, from the right to the left. The numbers are those of the table above.'),
    chart('chart-front', words, () => ({
      type: 'scatter', plugins: [pointNames],
      data: {datasets: [{label: 'stages', data: measured.map(s => ({x: s.bytes, y: 100 * s.accuracy, name: s.name})), showLine: true, borderColor: colour('c1'), backgroundColor: colour('c1'), pointRadius: 5}]},
      options: options(axis('bytes in flash', logarithmic),
        axis('accuracy on the test split, %', {grace: '15%'}), {legend: false, label: item => `${item.raw.name}: ${whole(item.raw.x)} bytes, ${item.raw.y.toFixed(2)} %`}),
    })));
}

const frontSection = () => trials.length ? searchSection() : stagesFrontSection();

// --- the recipe ---

function copyText(text, pre, status) {
  const told = ok => { status.textContent = ok ? 'Copied.' : 'Selected: copy it with the keys of your system.'; };
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(pre);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => told(true), () => { select(); told(false); });
  else { select(); told(false); }
}

function recipeSection() {
  if (!report.recipe) return null;
  const pre = el('pre', {tabindex: 0, 'aria-label': 'Recipe'}, report.recipe), status = el('span', {role: 'status', class: 'soft'});
  return section('recipe', 'Recipe', paragraph('Saved as recipe.yaml it makes the same bytes again: ',
    el('code', {}, 'thimble shrink MODEL --data DATA -r recipe.yaml -o DIR')),
    pre, el('div', {class: 'row'}, el('button', {type: 'button', id: 'copy', on: {click: () => copyText(report.recipe, pre, status)}}, 'Copy the recipe'), status));
}
