// Data, numbers and the few helpers that everything else uses. Text goes into the page as text, never as HTML.
// It comes deflated and in base64: a third of the weight, and none of it can be markup.
const D = await unpack('first');
const Y = D.years.length, P = D.places.length;
const placeAt = new Map(D.places.map((place, i) => [place.code, i]));
const groupAt = new Map(D.groups.map((group, i) => [group.code, i]));
const headAt = new Map(D.heads.map((head, i) => [head.code, i]));
// Figures are held of all groups and then of all single heads: a kind of crime is the place of either.
const KINDS = [...D.groups, ...D.heads];
const MEASURES = {
  rate: { column: 'rate_per_lakh', name: 'Rate per lakh', unit: 'per lakh persons' },
  cases: { column: 'cases', name: 'Cases', unit: 'cases' },
};
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const $ = id => document.getElementById(id);
const whole = new Intl.NumberFormat('en-IN', { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat('en-IN', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const tenths = new Intl.NumberFormat('en-IN', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const loose = new Intl.NumberFormat('en-IN', { maximumFractionDigits: 2 });
const isNumber = value => typeof value === 'number';

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return JSON.parse(await new Response(stream).text());
}

function showCases(value) { return isNumber(value) ? whole.format(value) : 'no figure'; }
function showRate(value) { return isNumber(value) ? exact.format(value) : 'no rate'; }
function showMeasure(measure, value) { return measure === 'rate' ? showRate(value) : showCases(value); }
function showPercent(value) { return isNumber(value) ? `${exact.format(value)} %` : '–'; }
function showChange(value) {
  return isNumber(value) ? `${value > 0 ? '+' : value < 0 ? '−' : ''}${tenths.format(Math.abs(value))} %` : '–';
}
/** Short enough for an axis: 25,00,000 is 25 lakh, 1,20,00,000 is 1.2 crore. */
function showShort(value) {
  if (value >= 1e7) return `${loose.format(value / 1e7)} crore`;
  if (value >= 1e5) return `${loose.format(value / 1e5)} lakh`;
  return loose.format(value);
}

/** Round to two significant digits, so that a legend reads as numbers people would choose. */
function neat(value) {
  const power = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Number((Math.round(value / power) * power).toPrecision(12));
}
const CLASSES = 5;
/** Lower bounds of the classes after the first: fifths of the values. */
function fifths(values, counts) {
  const sorted = values.filter(isNumber).sort((a, b) => a - b), found = [];
  for (let k = 1; k < CLASSES && sorted.length; k++) {
    const value = sorted[Math.floor(sorted.length * k / CLASSES)];
    const bound = counts && value < 10 ? value : value > 0 ? neat(value) : 0;
    if (bound > sorted[0] && bound > (found.at(-1) ?? 0)) found.push(bound);
  }
  return found;
}
/** Colour of a class: fewer classes than colours still go from the lightest to the darkest. */
function colour(k, count) { return `k${count > 1 ? Math.round(k * (CLASSES - 1) / (count - 1)) : 2}`; }
function classOf(value, limits) { return isNumber(value) ? limits.filter(limit => limit <= value).length : null; }
function fill(value, limits) {
  const k = classOf(value, limits);
  return k === null ? 'kn' : colour(k, limits.length + 1);
}

const at = (g, p, y) => (g * P + p) * Y + y;
const region = (column, g, p, y) => D.region[column][at(g, p, y)] ?? null;
const women = (column, g, p, y) => D.women[column][at(g, p, y)];
const trendOf = (g, p, y) => D.trends[region('trend', g, p, y)] ?? null;
const overYears = read => D.years.map((_, y) => read(y));

/** The place whose row holds a state's figure that year: what became Telangana was counted in Andhra Pradesh. */
function countedIn(code, y) {
  const [whole, part] = D.split.members;
  return code === part && D.years[y] < D.split.year ? whole : code;
}
/** The place that the road tables have: they know Andhra Pradesh undivided in all years. */
function onTheRoads(code) {
  return code === D.split.together || D.split.members.includes(code) ? D.split.members[0] : code;
}

function element(name, attributes = {}, ...children) {
  const node = name.startsWith('svg:')
    ? document.createElementNS('http://www.w3.org/2000/svg', name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

/** What each table shows, as rows of its query have it: what a download writes. */
const RECORDS = new Map();
/**
 * Fill a table's body. A row is {attributes, cells, key}; a cell is {text | node, field, value, head, kind}. The value as
 * it stands in the data is kept in data-value (empty where there is none), so that it can be read back. The key's
 * columns and the cells' fields are the row's record; where a row shows several, it has them as records.
 */
function fillTable(id, rows) {
  RECORDS.set(id, rows.flatMap(row => row.records ?? [{ ...row.key,
    ...Object.fromEntries(row.cells.filter(cell => cell.field).map(cell => [cell.field, cell.value ?? null])) }]));
  $(id).tBodies[0].replaceChildren(...rows.map(row => element('tr', row.attributes, ...row.cells.map(cell =>
    element(cell.head ? 'th' : 'td', {
      scope: cell.head ? 'row' : null, class: cell.kind, 'data-field': cell.field,
      'data-value': cell.field ? cell.value ?? '' : null,
    }, ...[cell.node ?? cell.text].flat())))));
}
const number = (field, value, text, extra) => ({ field, value, text, kind: 'num', ...extra });
function trendCells(change, trend) {
  const mark = { rising: '▲', falling: '▼', steady: '→', 'series break': '✕' }[trend] ?? '·';
  return [number('change_pct', change, showChange(change)),
    { field: 'trend', value: trend, node: trend ? [element('span', { 'aria-hidden': 'true' }, `${mark} `), element('span', { class: 'word' }, trend)] : '–', kind: `tag ${trend ?? ''}` }];
}

function showTip(event, title, ...lines) {
  const tip = $('tip');
  tip.replaceChildren(element('b', {}, title), ...lines.flatMap((line, i) => i ? [element('br'), line] : [line]));
  tip.hidden = false;
  const box = event.target.getBoundingClientRect();
  const x = event.clientX || box.x + box.width / 2, y = event.clientY || box.y;
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, y - tip.offsetHeight - 12)}px`;
}
function hideTip() { $('tip').hidden = true; }
