// Opens reports in headless Chromium and looks at what a user meets: browse.mjs PLAYWRIGHT_FOLDER CHROMIUM SHOTS PAGE...
//
// The first page is gone through wholly, the others in part unless there are SHOTS. No message on the console, no request
// but the file itself; each canvas is a chart with numbers and ink, and has a table beside it; nothing is wider than a phone;
// the theme follows the system and then its button; Tab reaches all controls and shows where it is; selects change their
// charts; texts can be read (contrast) and stay text. One line per check as cmocka prints them, so that scripts/count-tests
// understands; screenshots (light, dark, narrow) go to SHOTS unless it is "-".
// SPDX-License-Identifier: Apache-2.0
import {createRequire} from 'node:module';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const [playwright, executablePath, shots, ...pages] = process.argv.slice(2);
const {chromium} = createRequire(path.join(path.resolve(playwright), 'x.js'))('playwright-core');
let failed = 0;

function check(name, ok, found) {
  console.log(`[ RUN      ] ${name}`);
  if (ok) return console.log(`[       OK ] ${name}`);
  failed++;
  if (found !== undefined) console.log('    found: ' + JSON.stringify(found));
  console.log(`[  FAILED  ] ${name}`);
}

const chartsOf = page => page.evaluate(() => [...document.querySelectorAll('canvas')].map(canvas => {
  const chart = Chart.getChart(canvas);
  const values = chart ? chart.data.datasets.flatMap(set => set.data).filter(v => v !== null) : [];
  const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  copy.canvas.width = canvas.width, copy.canvas.height = canvas.height;
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  return {id: canvas.id, label: canvas.getAttribute('aria-label'), values: values.length, ink: pixels.some(p => p), width: canvas.width};
}));

async function open(browser, file, options) {
  const page = await browser.newPage({viewport: {width: 1200, height: 900}, ...options});
  const trouble = [], requests = [];
  page.on('console', m => trouble.push(m.text()));
  page.on('pageerror', e => trouble.push(String(e)));
  page.on('request', r => requests.push(r.url()));
  const url = pathToFileURL(path.resolve(file)).href;
  await page.goto(url);
  await page.waitForSelector('#foot p');
  return {page, trouble, requests, url};
}

async function shoot(page, file, kind) {
  if (shots === '-') return;
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({path: path.join(shots, `${path.basename(file, '.html')}-${kind}.png`), fullPage: true});
}

async function checkCharts(page, name) {
  const charts = await chartsOf(page);
  check(`${name}: has charts`, charts.length >= 4, charts);
  check(`${name}: each chart has its data, words for it, and ink`, charts.every(c => c.values > 0 && c.ink && c.label.length > 20),
    charts.filter(c => !(c.values > 0 && c.ink && c.label.length > 20)));
  const unequal = await page.evaluate(() => [...document.querySelectorAll('section')].filter(s => s.querySelector('canvas') && !s.querySelector('table') && s.id !== 'front').map(s => s.id));
  check(`${name}: each chart has a table beside it`, unequal.length === 0, unequal);
}

async function checkSelects(page, name) {
  for (const select of await page.$$('select')) {
    const values = await select.$$eval('option', o => o.map(x => x.value));
    const section = await select.evaluate(s => s.closest('section').id);
    const look = () => page.evaluate(id => [...document.querySelectorAll(`#${id} canvas`)].map(c => JSON.stringify(Chart.getChart(c).data)).join(), section);
    const seen = new Set();
    for (const value of values) {
      await select.selectOption(value);
      seen.add(await look());
    }
    check(`${name}: each choice in ${section} shows other data`, seen.size === values.length, [seen.size, values.length]);
    const charts = (await chartsOf(page)).filter(c => !(c.values > 0));
    check(`${name}: no chart of ${section} is empty after choosing`, charts.length === 0, charts);
    await select.selectOption(values[0]);
  }
}

// Asks again until the answer is yes, five seconds at most. Playwright's waitForFunction needs eval, which the page's policy forbids.
async function until(page, question, argument) {
  for (const end = Date.now() + 5000; Date.now() < end; await page.waitForTimeout(30)) if (await page.evaluate(question, argument)) return true;
  return false;
}

// Charts follow a change of theme a frame later, and much later on a busy machine.
const settled = page => until(page, () => Chart.getChart(document.querySelector('canvas')).options.scales.x.ticks.color ===
  getComputedStyle(document.documentElement).getPropertyValue('--soft').trim());

async function checkTheme(page, name) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor + Chart.getChart(document.querySelector('canvas')).options.scales.x.ticks.color);
  const light = await background();
  await page.emulateMedia({colorScheme: 'dark'});
  await until(page, was => getComputedStyle(document.body).backgroundColor + Chart.getChart(document.querySelector('canvas')).options.scales.x.ticks.color !== was, light);
  await settled(page);
  const dark = await background();
  check(`${name}: follows the system to dark, charts too`, light !== dark, [light, dark]);
  await page.click('#theme');
  check(`${name}: the button goes back to light, whatever the system says`, await background() === light);
  await page.reload();
  await page.waitForSelector('#foot p');
  check(`${name}: and is remembered`, await background() === light);
  await page.click('#theme');
  check(`${name}: and to dark again`, await background() === dark);
  await page.emulateMedia({colorScheme: 'light'});
}

// Contrast of every text with what it stands on (WCAG 2.1: 4.5, of large text 3).
const poorContrast = page => page.evaluate(() => {
  const rgb = text => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, under) => { const a = top[3] === undefined ? 1 : top[3]; return [0, 1, 2].map(i => top[i] * a + under[i] * (1 - a)); };
  const ground = node => { const own = rgb(getComputedStyle(node).backgroundColor); if (own[3] === undefined) return own; return over(own, node.parentElement ? ground(node.parentElement) : [255, 255, 255]); };
  const light = c => { const l = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * l[0] + .7152 * l[1] + .0722 * l[2]; };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    if (![...node.childNodes].some(c => c.nodeType === 3 && c.data.trim()) || !node.checkVisibility() || node.closest('script,style')) continue;
    const style = getComputedStyle(node), a = light(rgb(style.color)), b = light(ground(node));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([node.textContent.slice(0, 30), ratio.toFixed(2), style.color]);
  }
  return poor.slice(0, 5);
});

async function checkKeyboard(page, name) {
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  const wanted = await page.evaluate(() => [...document.querySelectorAll('a[href],button,select,summary,[tabindex="0"]')].filter(n => n.checkVisibility()).length);
  const reached = new Set(), dim = [];
  for (let i = 0; i < wanted + 5; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const node = document.activeElement, style = getComputedStyle(node);
      if (node === document.body) return null;
      node.dataset.seen = node.dataset.seen || String(Math.random());
      return {id: node.dataset.seen, what: node.tagName + (node.textContent || '').slice(0, 20), shown: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 1};
    });
    if (!at) continue;
    reached.add(at.id);
    if (!at.shown) dim.push(at.what);
  }
  check(`${name}: Tab reaches all ${wanted} controls`, reached.size >= wanted, reached.size);
  check(`${name}: the focus can be seen`, dim.length === 0, dim);
  await page.focus('#theme');
  const before = await page.evaluate(() => document.documentElement.dataset.theme);
  await page.keyboard.press('Enter');
  check(`${name}: Enter presses the button`, before !== await page.evaluate(() => document.documentElement.dataset.theme));
  await page.keyboard.press('Enter');
}

const structure = page => page.evaluate(() => ({
  lang: document.documentElement.lang, title: document.title, h1: document.querySelectorAll('h1').length,
  unnamed: [...document.querySelectorAll('section')].filter(s => !document.getElementById(s.getAttribute('aria-labelledby'))).length,
  scopeless: document.querySelectorAll('th:not([scope])').length, captionless: [...document.querySelectorAll('table')].filter(t => !t.caption).length,
  broken: [...document.querySelectorAll('nav a')].filter(a => !document.querySelector(a.getAttribute('href'))).length,
  twice: [...document.querySelectorAll('[id]')].length - new Set([...document.querySelectorAll('[id]')].map(n => n.id)).size,
  odd: (document.querySelector('main').innerText.match(/undefined|NaN|null|Infinity|\[object/g) || []),
  foreign: document.querySelectorAll('main script, main img, main iframe, main link').length,
  ran: window.thimbleEscaped === undefined ? 0 : 1,
}));

async function checkTexts(page, name) {
  const s = await structure(page);
  check(`${name}: has language, title, one h1, named sections, captions, scopes, working links, unique ids`,
    s.lang === 'en' && s.title.endsWith('Thimble report') && s.h1 === 1 && !s.unnamed && !s.scopeless && !s.captionless && !s.broken && !s.twice, s);
  check(`${name}: no number is missing in the text`, s.odd.length === 0, s.odd);
  check(`${name}: names stay text`, s.foreign === 0 && s.ran === 0, s);
}

async function checkUse(page, name, file) {
  const poor = await poorContrast(page);
  check(`${name}: contrast in light`, poor.length === 0, poor);
  await checkSelects(page, name);
  await checkTheme(page, name);
  const poorDark = await poorContrast(page);
  check(`${name}: contrast in dark`, poorDark.length === 0, poorDark);
  await shoot(page, file, 'dark');
  await checkKeyboard(page, name);
  if (await page.$('#copy')) {
    await page.click('#copy');
    check(`${name}: the recipe's button answers`, await until(page, () => document.querySelector('#recipe [role=status]').textContent !== ''));
  }
  await page.click('#theme');
}

// Without the library that draws: no canvas, and each table is open.
async function checkTables(page, name) {
  const found = await page.evaluate(() => [document.querySelectorAll('canvas').length, document.querySelectorAll('main details:not([open])').length,
    document.querySelectorAll('table').length]);
  check(`${name}: tables take the place of charts`, found[0] === 0 && found[1] === 0 && found[2] >= 8, found);
}

// The figures on top, with the longest numbers that small chips see: on one line, and inside their tiles.
async function checkFigures(page, name) {
  const found = [];
  for (const width of [1200, 1000, 700, 360]) {
    await page.setViewportSize({width, height: 740});
    found.push(...await page.evaluate(width => [...document.querySelectorAll('.figures dt + dd')].map(node => {
      const was = node.textContent;
      node.textContent = '73,453,646';
      const style = getComputedStyle(node), outside = node.scrollWidth > node.clientWidth, broken = node.clientHeight > 1.5 * parseFloat(style.lineHeight);
      node.textContent = was;
      return outside || broken ? [width, node.clientWidth, style.fontSize, outside, broken] : null;
    }).filter(Boolean), width));
  }
  check(`${name}: large numbers stay in their tiles`, found.length === 0, found.slice(0, 4));
}

async function checkPage(browser, file, thorough) {
  const name = path.basename(file, '.html');
  const {page, trouble, requests, url} = await open(browser, file, {colorScheme: 'light'});
  await checkTexts(page, name);
  const plain = await page.evaluate(() => typeof Chart === 'undefined');
  await (plain ? checkTables : checkCharts)(page, name);
  await shoot(page, file, 'light');
  if (thorough && !plain) await checkUse(page, name, file);
  await checkFigures(page, name);
  await page.setViewportSize({width: 360, height: 740});
  await until(page, () => document.documentElement.scrollWidth <= 360);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(`${name}: 360 pixels are enough`, wide <= 360, wide);
  await shoot(page, file, 'narrow');
  check(`${name}: no message on the console`, trouble.length === 0, trouble);
  check(`${name}: no request but the file itself`, requests.every(r => r === url), requests);
  await page.close();
}

const browser = await chromium.launch({executablePath, args: ['--no-sandbox', '--disable-gpu']});
for (const [i, file] of pages.entries()) await checkPage(browser, file, i === 0 || shots !== '-');
await browser.close();
process.exit(failed ? 1 : 0);
