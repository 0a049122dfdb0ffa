// The sections below the map, each drawn from the chosen group, measure, year and place.
const link = (text, action) => {
  const button = element('button', { type: 'button', class: 'link' }, text);
  button.addEventListener('click', action);
  return button;
};
const breaksOf = trends => new Set(trends.flatMap((trend, y) => trend === 'series break' ? [y] : []));
const heading = (S, place = D.places[S.place]) => `${D.groups[S.group].label}, ${place.name}, ${D.years[S.year]}`;

/** Why a series of a place breaks in a year; empty if it does not. */
function breakReason(group, placeCode, broken, y) {
  if (!broken) return '';
  const reasons = [];
  if (group.break_2014 && D.years[y] === 2014) reasons.push(group.break_2014);
  if (D.split.members.includes(placeCode) && D.years[y] === D.split.year) {
    reasons.push('Andhra Pradesh and Telangana were counted as one state until 2013');
  }
  return reasons.join('; ') || 'the figures do not compare with the year before';
}

function drawFigures(S, choose) {
  const place = D.places[S.place], group = D.groups[S.group];
  const [cases, rate, rank, change] = ['cases', 'rate_per_lakh', 'rank_in_year', 'change_pct'].map(c => region(c, S.group, S.place, S.year));
  const trend = trendOf(S.group, S.place, S.year), year = D.years[S.year];
  const persons = D.population.population[S.place * Y + S.year], basis = D.population.bases[D.population.basis[S.place * Y + S.year]];
  const among = D.places.filter((p, i) => p.level === 'state' && isNumber(region('cases', S.group, i, S.year))).length;
  const why = { census: 'census', interpolated: 'estimated between the censuses', extrapolated: 'estimated after the census of 2011' };
  $('now').textContent = heading(S);
  const cards = [
    ['cases', 'Cases registered', cases, showCases(cases), place.level === 'country' ? 'all states and union territories' : shareOf(S, cases)],
    ['rate_per_lakh', 'Rate per lakh persons', rate, showRate(rate), isNumber(rate) ? indiaRate(S) : isNumber(cases) ? 'no population for it' : 'no figure'],
    ['change_pct', `Change on ${year - 1}`, change, isNumber(change) ? showChange(change) : 'none', { 'no base': S.year ? 'nothing to compare with' : 'first year of the data', 'series break': 'the series breaks here' }[trend] ?? trend ?? 'no figure'],
    ['population', 'Population', persons, isNumber(persons) ? whole.format(persons) : 'not known', why[basis] ?? 'not counted apart'],
  ];
  if (place.level === 'state') cards.splice(3, 0, ['rank_in_year', 'Rank by cases', rank, isNumber(rank) ? `${rank} of ${among}` : 'none', '1 = most cases']);
  $('kpis').replaceChildren(...cards.map(([field, name, value, text, more]) => element('div', {}, element('dt', {}, name),
    element('dd', { class: 'big', 'data-kpi': field, 'data-value': value ?? '' }, text), element('dd', { class: 'fine' }, more ?? ''))));
  drawNote(S, choose, cases, rate, group);
}
function shareOf(S, cases) {
  const all = region('cases', S.group, placeAt.get(D.country), S.year);
  return isNumber(cases) && all ? `${loose.format(Math.round(cases * 1000 / all) / 10)} % of India's` : '';
}
function indiaRate(S) {
  const rate = region('rate_per_lakh', S.group, placeAt.get(D.country), S.year);
  return S.place === placeAt.get(D.country) ? 'of all persons' : `India: ${showRate(rate)}`;
}
function drawNote(S, choose, cases, rate, group) {
  const place = D.places[S.place], note = $('place-note'), year = D.years[S.year], parts = [];
  const together = D.places[placeAt.get(D.split.together)];
  if (!isNumber(cases) && place.code === D.split.members[1] && year < D.split.year) parts.push(`Telangana was part of Andhra Pradesh until 2013 and has no figures of its own for ${year}.`);
  else if (!isNumber(cases)) parts.push(`There is no figure for ${group.label} in ${year}${group.break_2014 ? `: ${group.break_2014}` : ''}.`);
  else if (!isNumber(rate) && D.split.members.includes(place.code)) parts.push('No rate: the census counted Andhra Pradesh and Telangana as one.');
  else if (place.code === D.split.members[0] && year < D.split.year) parts.push(`Andhra Pradesh in ${year} is undivided: with what is Telangana since 2014.`);
  note.hidden = !parts.length;
  note.replaceChildren(...parts);
  if (parts.length && isNumber(region('cases', S.group, placeAt.get(D.split.together), S.year)) && together && D.split.members.includes(place.code)) note.append(' ', link('Show both together, comparable over all years', () => choose(together.code)));
}

function drawRanking(S, choose) {
  const { column, name } = MEASURES[S.measure], limits = bounds(S.group, S.measure);
  const states = D.places.map((place, p) => ({ place, p, value: region(column, S.group, p, S.year), cases: region('cases', S.group, p, S.year) }))
    .filter(({ place, cases }) => place.level !== 'country' && isNumber(cases));
  states.sort((a, b) => (a.place.level === 'combined') - (b.place.level === 'combined') || (b.value ?? -1) - (a.value ?? -1) || b.cases - a.cases);
  $('rank-sub').textContent = `${D.groups[S.group].label}, ${D.years[S.year]}, by ${name.toLowerCase()}`;
  let order = 0;
  fillTable('rank-table', states.map(({ place, p, value, cases }) => {
    const rate = region('rate_per_lakh', S.group, p, S.year), apart = place.level === 'combined' || !isNumber(value);
    const swatch = element('svg:svg', { class: 'swatch', 'aria-hidden': 'true' }, element('svg:rect', { width: '100%', height: '100%', class: fill(value, limits) }));
    return {
      attributes: { 'data-code': place.code, class: `${p === S.place ? 'chosen' : ''} ${place.level === 'combined' ? 'apart' : ''}`, 'aria-current': p === S.place ? 'true' : null },
      cells: [{ text: apart ? '–' : `${++order}`, kind: 'num' }, { node: [swatch, link(place.name, () => choose(place.code))], head: true },
        number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate))],
    };
  }));
}

function drawTrend(S, pick) {
  const place = D.places[S.place], group = D.groups[S.group], { column, name } = MEASURES[S.measure];
  const trends = overYears(y => trendOf(S.group, S.place, y)), breaks = breaksOf(trends), india = placeAt.get(D.country);
  const series = [{ name: place.name, values: overYears(y => region(column, S.group, S.place, y)), breaks }];
  if (S.measure === 'rate' && S.place !== india) {
    series.unshift({ name: D.places[india].name, other: true, quiet: true, values: overYears(y => region(column, S.group, india, y)), breaks: breaksOf(overYears(y => trendOf(S.group, india, y))) });
  }
  $('trend-sub').textContent = `${group.label}, ${place.name}: ${name.toLowerCase()} by year`;
  const marks = Object.fromEntries([...breaks].map(y => [y, `${D.years[y]}: series breaks`]));
  lineChart($('trend-chart'), { label: `Line chart: ${$('trend-sub').textContent}. Its numbers follow as a table.`, series, now: S.year, marks, pick, show: value => showMeasure(S.measure, value) });
  if (series.length > 1) withKey('trend-chart', series);
  const said = [...breaks].map(y => `${D.years[y]} does not compare with the years before: ${breakReason(group, place.code, true, y)}.`);
  $('trend-break').hidden = !said.length;
  $('trend-break').textContent = said.join(' ');
  $('trend-table').caption.textContent = `${group.label}, ${place.name}`;
  fillTable('trend-table', D.years.map((year, y) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => region(c, S.group, S.place, y));
    return { attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null, 'data-break': breaks.has(y) || null },
      cells: [{ text: `${year}`, head: true }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)), ...trendCells(change, trends[y])] };
  }));
}
/** A key above a chart of more than one line; drawn with it again when the width changes. */
function withKey(id, series) {
  const box = $(id), { draw } = drawings.get(box);
  const key = () => element('ul', { class: 'key' }, ...series.map(s => element('li', { class: s.other ? 'other' : null },
    element('svg:svg', { viewBox: '0 0 29 11', 'aria-hidden': 'true' }, element('svg:path', { d: 'M0 5.5H29' })), s.name)));
  paint(box, width => [key(), draw(width)].flat());
}

function drawGroups(S, choose) {
  const place = D.places[S.place], { column } = MEASURES[S.measure];
  $('groups-sub').textContent = `${place.name}, ${D.years[S.year]}`;
  fillTable('groups-table', D.groups.map((group, g) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => region(c, g, S.place, S.year));
    const trends = overYears(y => trendOf(g, S.place, y));
    return { attributes: { 'data-group': group.code, class: g === S.group ? 'chosen' : null, 'aria-current': g === S.group ? 'true' : null },
      cells: [{ head: true, node: link(group.label, () => choose(group.code)) }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)),
        ...trendCells(change, trends[S.year]), { kind: 'spark-col', node: sparkline(overYears(y => region(column, g, S.place, y)), breaksOf(trends), S.year) }] };
  }));
}

const SCOPES = { ipc_seven_heads: 'the seven IPC heads', ipc_and_special_laws: 'IPC heads, special and local laws' };
const inWords = scope => SCOPES[scope] ?? scope ?? 'no table';
function drawWomen(S, pick) {
  const W = D.women, place = D.places[S.place], core = W.groups.findIndex(g => g.code === 'core_seven'), all = W.groups.findIndex(g => g.code === 'all_in_scope');
  const { column, name } = MEASURES[S.measure];
  const trend = (g, y) => W.trends[women('trend', g, S.place, y)] ?? null;
  const breaksIn = g => breaksOf(overYears(y => trend(g, y)));
  $('women-sub').textContent = `${place.name}, ${D.years[S.year]}; the line shows ${name.toLowerCase()} by year`;
  const series = [[all, true], [core, false]].filter(([g]) => g >= 0).map(([g, other]) => ({ name: W.groups[g].label, other, quiet: other && D.years[S.year] < 2014, values: overYears(y => women(column, g, S.place, y)), breaks: breaksIn(g) }));
  const broken = new Set([...breaksIn(core), ...breaksIn(all)]);
  const marks = Object.fromEntries([...broken].map(y => [y, breaksIn(core).has(y) ? `${D.years[y]}: series breaks` : `${D.years[y]}: wider scope`]));
  lineChart($('women-chart'), { label: `Line chart: crimes against women, ${place.name}, ${name.toLowerCase()} by year. Its numbers follow as a table.`, series, now: S.year, marks, pick, show: value => showMeasure(S.measure, value) });
  withKey('women-chart', series);
  const scope = W.scopes[S.year], note = $('women-scope');
  note.dataset.scope = scope ?? '';
  note.textContent = `The table of ${D.years[S.year]} covers ${inWords(scope)}. ` + [...broken].map(y => `${D.years[y]} does not compare with the years before in all its heads: ${breakReason(W.groups[all], place.code, true, y)}. `).join('')
    + (breaksIn(core).size ? '' : 'The seven IPC heads were counted in every year and compare over time.');
  $('women-table').caption.textContent = `Crimes against women, ${place.name}, ${D.years[S.year]}`;
  fillTable('women-table', W.groups.map((group, g) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => women(c, g, S.place, S.year));
    return { attributes: { 'data-group': group.code, class: g === core ? 'chosen' : null },
      cells: [{ head: true, text: group.label }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)), ...trendCells(change, trend(g, S.year))] };
  }));
  $('women-years').caption.textContent = `Crimes against women by year, ${place.name}`;
  fillTable('women-years', D.years.map((year, y) => {
    const [cases, rate, wide] = [women('cases', core, S.place, y), women('rate_per_lakh', core, S.place, y), women('cases', all, S.place, y)];
    return { attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null, 'data-break': broken.has(y) || null },
      cells: [{ text: `${year}`, head: true }, number('core_seven', cases, showCases(cases)), number('core_seven_rate', rate, showRate(rate)), number('all_in_scope', wide, showCases(wide)),
        { field: 'scope', value: W.scopes[y], text: isNumber(wide) ? inWords(W.scopes[y]) : '–' }] };
  }));
}

function drawTraffic(S) {
  const code = onTheRoads(D.places[S.place].code), p = placeAt.get(code), place = D.places[p], year = D.years[S.year];
  const undivided = place.code !== D.places[S.place].code || (D.split.members.includes(code) && year >= D.split.year);
  $('traffic-sub').textContent = `${place.name}${undivided ? ' undivided, with Telangana (the road tables have only the two together)' : ''}, ${year}: road accidents`;
  drawBuckets('slots', 'by time of day', D.slots, p, S, bucket => bucket.replace('-', '–'), bucket => bucket.split('-').map(Number).join('–'), bucket => `${bucket.replace('-', ' to ')} hours`, [['share_pct', showPercent]]);
  drawBuckets('months', 'by month', D.months, p, S, bucket => MONTHS[bucket - 1], bucket => MONTHS[bucket - 1][0], bucket => `${MONTHS[bucket - 1]} ${year}`, [['share_pct', showPercent], ['cases_per_day', showRate]]);
}
function drawBuckets(id, how, T, p, S, name, brief, full, extra) {
  const B = T.buckets.length, read = (column, b) => T[column][(p * Y + S.year) * B + b];
  const values = T.buckets.map((_, b) => read('cases', b)), sub = `${$('traffic-sub').textContent} ${how}`;
  $(`${id}-table`).caption.textContent = sub;
  fillTable(`${id}-table`, T.buckets.map((bucket, b) => ({ attributes: { 'data-bucket': bucket },
    cells: [{ head: true, text: full(bucket) }, number('cases', values[b], showCases(values[b])), ...extra.map(([column, show]) => number(column, read(column, b), show(read(column, b))))] })));
  if (!values.some(isNumber)) { paint($(`${id}-chart`), () => element('p', { class: 'empty' }, 'No figure for this place and year.')); return; }
  const tips = T.buckets.map((bucket, b) => [full(bucket), `${showCases(values[b])} accidents`, `${showPercent(read('share_pct', b))} of the year's`]);
  columnChart($(`${id}-chart`), { label: `Column chart: ${sub}. Its numbers follow as a table.`, values, tips, show: whole.format, names: T.buckets.map(name), brief: T.buckets.map(brief) });
}

function drawHot(S, choose) {
  const H = D.hot, size = H.fields.length, flat = H.rows[S.group][S.year], place = D.places[S.place];
  const within = place.level === 'country' ? null : new Set(place.code === D.split.together ? D.split.members : [place.code]);
  const rows = [];
  for (let i = 0; i < flat.length; i += size) {
    const row = Object.fromEntries(H.fields.map((field, k) => [field, flat[i + k]]));
    const [p, name] = H.districts[row.district];
    if (!within || within.has(D.places[p].code)) rows.push({ ...row, p, name, kind: H.rules[row.rule][0] });
  }
  const sub = `${D.groups[S.group].label}, ${D.years[S.year]}: ${rows.length ? whole.format(rows.length) : 'no'} district${rows.length === 1 ? '' : 's'} in ${place.name} high or rising`;
  $('hot-sub').textContent = sub;
  $('hot-table').caption.textContent = sub;
  fillTable('hot-table', rows.map(row => ({ attributes: { 'data-code': D.places[row.p].code, 'data-district': row.name },
    cells: [{ head: true, node: [row.name, element('span', { class: 'fine' }, D.places[row.p].name)] }, { field: 'hot_spot', value: row.kind, text: row.kind, kind: row.kind.includes('rising') ? 'rising' : '' },
      number('cases', row.cases, showCases(row.cases)), number('percentile', row.percentile, `${exact.format(row.percentile * 100)} %`),
      number('base_cases', row.base_cases, isNumber(row.base_cases) ? showCases(row.base_cases) : '–'), number('growth_pct', row.growth_pct, showChange(row.growth_pct))] })));
  $('hot-table').parentNode.hidden = !rows.length;
  const used = [...new Set(rows.map(row => row.rule))].sort();
  $('hot-rules').replaceChildren(...used.flatMap(rule => [element('dt', {}, H.rules[rule][0]), element('dd', {}, `${H.rules[rule][1]}.`)]));
  $('hot-rules').hidden = !used.length;
}
