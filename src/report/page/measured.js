// What only a run on data shows: confusion of classes, and the error of each layer. SPDX-License-Identifier: Apache-2.0
const measured = report.measured || {};
const evaluation = measured.evaluation || {};
const withData = what => note(`${what} needs data to run on: `, el('code', {}, 'thimble report DIR --data DATA'), ' measures it and makes this page again.');
const MOST_CLASSES = 40; // a larger matrix is no picture any more

function matrix(rows, names) {
  const totals = rows.map(r => r.reduce((a, b) => a + b, 0));
  const shade = (cell, v, i) => { if (v) cell.style.setProperty('--share', (v / Math.max(1, totals[i])).toFixed(3)); return cell; };
  const head = el('tr', {}, el('th', {scope: 'col'}, 'is \\ taken for'), names.map(n => el('th', {scope: 'col'}, n)));
  const body = rows.map((r, i) => el('tr', {}, el('th', {scope: 'row'}, names[i]), r.map((v, k) => shade(el('td', {class: v ? 'some' : 'zero'}, whole(v)), v, i))));
  const caption = 'Test samples by what they are (rows) and what the model takes them for (columns)';
  return scrolling(caption, el('table', {class: 'matrix'}, el('caption', {}, caption), el('thead', {}, head), el('tbody', {}, body)));
}

// Pairs of classes that are mistaken most often.
function mistakes(rows, names) {
  const pairs = rows.flatMap((r, i) => r.map((n, k) => ({is: names[i], taken: names[k], n, same: i === k, of: r.reduce((a, b) => a + b, 0)})));
  const most = pairs.filter(p => !p.same && p.n).sort((a, b) => b.n - a.n).slice(0, 10);
  return most.length ? folded('The most frequent mistakes', table('Most frequent mistakes', [{head: 'Is', left: true, of: p => p.is}, {head: 'Taken for', left: true, of: p => p.taken},
    {head: 'Samples', of: p => whole(p.n)}, {head: 'Of the class', of: p => percent(p.n / p.of, 1)}], most)) : null;
}

function classChart(classes) {
  const words = 'Bars: how many of each class are found, in percent: ' + classes.map(c => `${c.name} ${percent(c.recall, 1)}`).join(', ');
  return chart('chart-classes', words, () => ({
    type: 'bar', data: {labels: classes.map(c => brief(c.name)), datasets: [
      {label: 'found (recall)', data: classes.map(c => 100 * (c.recall || 0)), backgroundColor: colour('c1')},
      {label: 'right when named (precision)', data: classes.map(c => 100 * (c.precision || 0)), backgroundColor: colour('c5')}]},
    options: options(axis('class', {grid: {display: false}}), axis('%', {min: 0, max: 100}), {label: item => `${item.dataset.label}: ${item.raw.toFixed(1)} %`}),
  }), {least: classes.length > 12 ? 30 * classes.length : 0, className: 'chart low'});
}

function confusionSection() {
  const rows = evaluation.confusion, classes = evaluation.classes || [];
  if (!rows) return report.measured ? null : section('confusion', 'Confusion', withData('Which classes are taken for which'));
  const names = classes.map(c => c.name);
  const others = evaluation.other_answers ? ` ${whole(evaluation.other_answers)} answers are no class.` : '';
  return section('confusion', 'Confusion',
    paragraph(`${whole(evaluation.samples)} samples of the test split, ${evaluation.arithmetic} arithmetic: ${percent(evaluation.accuracy)} right.${others}`),
    rows.length <= MOST_CLASSES ? matrix(rows, names) : note(`${rows.length} classes: the matrix is left out.`), mistakes(rows, names), classChart(classes),
    folded('Classes as a table', table('Classes', [{head: 'Class', left: true, of: c => c.name}, {head: 'Samples', of: c => whole(c.samples)},
      {head: 'Found', of: c => percent(c.recall, 1)}, {head: 'Right when named', of: c => percent(c.precision, 1)}], classes, {tall: true})));
}

// --- which layer lost accuracy ---

function errorsText(list) {
  const worst = comparison.worst_layer;
  const same = isNumber(comparison.agreement) ? `On ${whole(comparison.samples)} test samples both networks give the same answer in ${percent(comparison.agreement, 1)}. ` : '';
  return same + (worst && list.some(l => l.relative_error > 0) ? `The error grows most at ${worst}: look there first.` : 'No layer\'s outputs differ.');
}

function errorsSection() {
  const list = comparison.layers || [];
  if (!report.measured) return isLossless ? null : section('errors', 'Loss by layer', withData('Which layer lost accuracy'));
  if (measured.comparison_skipped) return section('errors', 'Loss by layer', note('The networks before and after could not be compared: ' + measured.comparison_skipped));
  if (!list.length) return null;
  const words = 'Bars: relative error of each layer\'s outputs: ' + list.map(l => `${l.name} ${fixed(l.relative_error, 3)}`).join(', ');
  return section('errors', 'Loss by layer', paragraph(errorsText(list)),
    chart('chart-errors', words, () => ({
      type: 'bar', data: {labels: list.map(l => brief(l.name)), datasets: [{label: 'relative error', data: list.map(l => l.relative_error), maxBarThickness: 40,
        backgroundColor: list.map(l => colour(l.name === comparison.worst_layer ? 'c2' : 'c1'))}]},
      options: options(axis('layer', {grid: {display: false}, ticks: {maxRotation: 60}}), axis('relative error of the outputs', {beginAtZero: true}), {legend: false, label: item => fixed(item.raw, 4)}),
    }), {least: list.length > 14 ? 34 * list.length : 0}),
    table('Outputs of each layer against those of the network as it came in', [{head: 'Layer', left: true, of: l => l.name}, {head: 'Operator', left: true, of: l => l.op},
      {head: 'Relative error', of: l => fixed(l.relative_error, 4)}, {head: 'Signal to noise, dB', of: l => isNumber(l.snr_db) ? fixed(l.snr_db, 1) : 'equal'}], list,
      {mark: l => l.name === comparison.worst_layer}));
}
