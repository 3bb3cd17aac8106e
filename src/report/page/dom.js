// Small pieces that the sections are built of. Text always goes in as text nodes: a name out of a model is never markup.
// SPDX-License-Identifier: Apache-2.0
'use strict';
const report = JSON.parse(document.getElementById('data').textContent);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key === 'on') for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter(c => c !== null && c !== undefined));
  return node;
}

const brief = name => name.length > 28 ? name.slice(0, 27) + '\u2026' : name; // beside an axis
const isNumber = v => typeof v === 'number' && isFinite(v);
const whole = v => isNumber(v) ? Math.round(v).toLocaleString('en-US') : '';
const fixed = (v, digits) => isNumber(v) ? v.toFixed(digits) : '';
const percent = (v, digits = 2) => isNumber(v) ? (100 * v).toFixed(digits) + ' %' : '';
const points = v => isNumber(v) ? (v > 0 ? '+' : '') + (100 * v).toFixed(2) : '';
const short = v => isNumber(v) ? Number(v.toPrecision(4)).toString() : '';
const compact = v => Math.abs(v) >= 1e6 ? short(v / 1e6) + ' M' : Math.abs(v) >= 1e4 ? short(v / 1e3) + ' k' : whole(v);
function bytes(v) {
  if (!isNumber(v)) return '';
  if (v < 10000) return whole(v) + ' B';
  return v < 1e7 ? (v / 1024).toFixed(1) + ' KiB' : (v / 1048576).toFixed(1) + ' MiB';
}

// columns: [{head, of(row) -> text or node, left, title}]; the first column names the row.
function table(caption, columns, rows, {mark, tall, className} = {}) {
  const head = el('tr', {}, columns.map(c => el('th', {scope: 'col', class: c.left && 'left'}, c.head)));
  const body = rows.map((row, i) => el('tr', {class: mark && mark(row, i) && 'mark'}, columns.map((c, k) => {
    const attributes = {class: c.left && 'left'};
    return k === 0 ? el('th', {scope: 'row', ...attributes}, c.of(row, i)) : el('td', attributes, c.of(row, i));
  })));
  return scrolling(caption, el('table', {class: className}, el('caption', {}, caption), el('thead', {}, head),
    el('tbody', {}, body)), tall);
}

// What may be wider than the page scrolls by itself, by keyboard too.
function scrolling(label, node, tall) {
  return el('div', {class: tall ? 'scroll tall' : 'scroll', tabindex: 0, role: 'region', 'aria-label': label}, node);
}

function folded(summary, ...children) {
  return el('details', {open: !hasCharts}, el('summary', {}, summary), ...children);
}

const note = (...children) => el('p', {class: 'note'}, ...children);
const paragraph = (...children) => el('p', {}, ...children);

function choice(label, options, onChange) { // options: [[value, text]]
  const select = el('select', {on: {change: () => onChange(select.value)}},
    options.map(([value, text]) => el('option', {value}, text)));
  return el('label', {}, label, select);
}

const meter = fraction => {
  const bar = el('span', {});
  bar.style.width = Math.max(0, Math.min(1, fraction)) * 100 + '%';
  return el('span', {class: 'meter', 'aria-hidden': true}, bar);
};

const sections = []; // {id, title, node}: the page in order, and its navigation
function section(id, title, ...children) {
  const node = el('section', {id, 'aria-labelledby': id + '-title'}, el('h2', {id: id + '-title'}, title), ...children);
  sections.push({id, title, node});
  return node;
}
