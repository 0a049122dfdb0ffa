// The districts: their figures come after the first view, see main.js.
let MORE = null;

/** Ranked districts by group and year: the numbers of cases, most first. A rank is a place among them. */
const ranked = (() => {
  const known = new Map();
  return (g, y) => {
    const key = `${g}/${y}`;
    if (!known.has(key)) {
      const found = MORE.districts.flatMap((_, d) => isRanked(g, d, y) ? [MORE.cases[districtAt(g, d, y)]] : []);
      known.set(key, found.sort((a, b) => b - a));
    }
    return known.get(key);
  };
})();
const districtAt = (g, d, y) => (g * MORE.districts.length + d) * Y + y;
const isRanked = (g, d, y) => !' .'.includes(MORE.magnitude[districtAt(g, d, y)]);
/** The place of a district among all of India's: 1 = most cases, equal ones share it. */
function rankOf(g, d, y) {
  if (!isRanked(g, d, y)) return null;
  const all = ranked(g, y), cases = MORE.cases[districtAt(g, d, y)];
  let low = 0, high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all[middle] > cases) low = middle + 1; else high = middle;
  }
  return low + 1;
}
const magnitudeOf = (g, d, y) => MORE.magnitudes['abcdefgh'.indexOf(MORE.magnitude[districtAt(g, d, y)])] ?? null;

function drawDistricts(S) {
  const place = D.places[S.place], year = D.years[S.year], g = S.group, group = D.groups[g];
  const country = place.level === 'country', showing = !country && S.list === 'districts';
  $('states-panel').hidden = showing;
  $('districts-panel').hidden = !showing;
  $('list-switch').hidden = country;
  for (const input of document.querySelectorAll('input[name=list]')) input.checked = (input.value === 'districts') === showing;
  if (country) return;
  const within = new Set(statesOf(place).map(code => placeAt.get(code)));
  const rows = !MORE ? [] : MORE.districts.map(([p, name], d) => ({ p, name, d, cases: MORE.cases[districtAt(g, d, S.year)] })).filter(({ p, cases }) => within.has(p) && isNumber(cases));
  rows.sort((a, b) => b.cases - a.cases || a.name.localeCompare(b.name));
  $('districts-title').textContent = `Districts of ${place.name}`;
  $('districts-sub').textContent = MORE ? `${group.label}, ${year}, by cases: ${rows.length} districts and units` : 'The districts are being read.';
  $('districts-note').textContent = `${S.head === null ? '' : `Districts are known by group, not by single head: this is ${group.label}. `}`
    + 'No rates: the population of districts is not known here. Rank and magnitude are among all districts of India; railway police and special units have none.';
  fillTable('districts-table', rows.map(({ p, name, d, cases }, i) => {
    const rank = rankOf(g, d, S.year), magnitude = magnitudeOf(g, d, S.year), values = overYears(y => MORE.cases[districtAt(g, d, y)]);
    const breaks = new Set(group.break_2014 && D.years.includes(2014) ? [D.years.indexOf(2014)] : []);
    return { key: { ...placeKey(p, year), level: 'district', state: D.places[p].name, district: name, crime_group: group.code }, attributes: { 'data-district': name, 'data-code': D.places[p].code },
      cells: [{ text: `${i + 1}`, kind: 'num' }, { head: true, node: within.size > 1 ? [name, element('span', { class: 'fine' }, D.places[p].name)] : name }, number('cases', cases, showCases(cases)), number('rank_in_year', rank, isNumber(rank) ? whole.format(rank) : '–'),
        { field: 'magnitude', value: magnitude, text: magnitude ?? 'a unit', kind: 'tag' }, { kind: 'spark-col', node: sparkline(values, breaks, S.year) }] };
  }));
  asks('districts-table', ...statesOf(place).map(code => ['crime_by_region', { level: 'district', year: `${year}`, crime_group: group.code, state_code: code }]));
}

/** Rows of a flat list for the chosen group, year and place. */
function spots({ fields, rows }, S) {
  const flat = rows[S.group][S.year], place = D.places[S.place], found = [];
  const within = place.level === 'country' ? null : new Set(statesOf(place));
  for (let i = 0; i < flat.length; i += fields.length) {
    const row = Object.fromEntries(fields.map((field, k) => [field, flat[i + k]])), [p, name] = MORE.districts[row.district];
    if (!within || within.has(D.places[p].code)) found.push({ ...row, p, name });
  }
  return found;
}
const spotKey = (row, S) => ({ state_code: D.places[row.p].code, state: D.places[row.p].name, district: row.name, year: D.years[S.year], crime_group: D.groups[S.group].code });
const spotHead = row => ({ head: true, node: [row.name, element('span', { class: 'fine' }, D.places[row.p].name)] });
function spotAsks(question, S) {
  const place = D.places[S.place], given = { year: `${D.years[S.year]}`, crime_group: D.groups[S.group].code };
  return (place.level === 'country' ? ['all'] : statesOf(place)).map(code => [question, { ...given, state_code: code }]);
}
const countOf = rows => `${rows.length ? whole.format(rows.length) : 'no'} district${rows.length === 1 ? '' : 's'}`;

function drawHot(S) {
  if (!MORE) return;
  const H = MORE.hot, rows = spots(H, S), place = D.places[S.place];
  const sub = `${D.groups[S.group].label}, ${D.years[S.year]}: ${countOf(rows)} in ${place.name} high or rising`;
  $('hot-sub').textContent = sub;
  $('hot-table').caption.textContent = sub;
  fillTable('hot-table', rows.map(row => { const [kind, rule] = H.rules[row.rule]; return { key: { ...spotKey(row, S), rule }, attributes: { 'data-code': D.places[row.p].code, 'data-district': row.name },
    cells: [spotHead(row), { field: 'hot_spot', value: kind, text: kind, kind: kind.includes('rising') ? 'rising' : '' },
      number('cases', row.cases, showCases(row.cases)), number('percentile', row.percentile, `${exact.format(row.percentile * 100)} %`),
      number('base_cases', row.base_cases, isNumber(row.base_cases) ? showCases(row.base_cases) : '–'), number('growth_pct', row.growth_pct, showChange(row.growth_pct))] }; }));
  $('hot-table').parentNode.hidden = !rows.length;
  const used = [...new Set(rows.map(row => row.rule))].sort();
  $('hot-rules').replaceChildren(...used.flatMap(rule => [element('dt', {}, H.rules[rule][0]), element('dd', {}, `${H.rules[rule][1]}.`)]));
  $('hot-rules').hidden = !used.length;
  asks('hot-table', ...spotAsks('hot_spots', S));
  drawFalling(S);
}
function drawFalling(S) {
  const rows = spots(MORE.falling, S), group = D.groups[S.group];
  const broken = group.break_2014 && D.years[S.year] >= 2014;
  const sub = broken ? `${group.label}: no fall is seen across the break of 2014` : `${group.label}, ${D.years[S.year]}: ${countOf(rows)} in ${D.places[S.place].name} falling`;
  $('falling-sub').textContent = sub;
  $('falling-table').caption.textContent = sub;
  fillTable('falling-table', rows.map(row => ({ key: spotKey(row, S), attributes: { 'data-code': D.places[row.p].code, 'data-district': row.name },
    cells: [spotHead(row), number('cases', row.cases, showCases(row.cases)), number('base_cases', row.base_cases, showCases(row.base_cases)), number('growth_pct', row.growth_pct, showChange(row.growth_pct), { kind: 'num falling' })] })));
  $('falling-table').parentNode.hidden = !rows.length;
  asks('falling-table', ...spotAsks('falling_districts', S));
}
