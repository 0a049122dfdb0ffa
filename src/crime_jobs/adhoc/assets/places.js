// Which place, its key figures, and the states in order.
const link = (text, action) => {
  const button = element('button', { type: 'button', class: 'link' }, text);
  button.addEventListener('click', action);
  return button;
};
const breaksOf = trends => new Set(trends.flatMap((trend, y) => trend === 'series break' ? [y] : []));
const heading = (S, place = D.places[S.place]) => `${KINDS[S.kind].label}, ${place.name}, ${D.years[S.year]}`;

// The same choice as the named questions take it, and as their rows have it.
const kindKey = S => S.head === null ? { crime_group: D.groups[S.group].code } : { crime_head: D.heads[S.head].code };
const placeKey = (p, year) => ({ level: D.places[p].level, state_code: D.places[p].code, year });
const figuresOf = (S, given) => [S.head === null ? 'crime_by_place' : 'crime_by_head', { level: 'all', ...given, ...kindKey(S) }];
/** The states whose rows belong to a place: Andhra Pradesh with Telangana has those of both. */
const statesOf = place => place.code === D.split.together ? D.split.members : [place.code];

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

/** The way back: India, and the state that was chosen. */
function drawCrumbs(S, choose) {
  const place = D.places[S.place], india = D.places[placeAt.get(D.country)];
  const here = element('span', { 'aria-current': 'page' }, place.name);
  $('crumbs').replaceChildren(...place.code === D.country ? [element('li', {}, here)] : [element('li', {}, link(india.name, () => choose(india.code))), element('li', {}, here)]);
}

function drawFigures(S, choose) {
  const place = D.places[S.place], year = D.years[S.year];
  const [cases, rate, rank, change] = ['cases', 'rate_per_lakh', 'rank_in_year', 'change_pct'].map(c => region(c, S.kind, S.place, S.year));
  const trend = trendOf(S.kind, S.place, S.year), magnitude = D.magnitudes[region('magnitude', S.kind, S.place, S.year)];
  const persons = D.population.population[S.place * Y + S.year], basis = D.population.bases[D.population.basis[S.place * Y + S.year]];
  const among = D.places.filter((p, i) => p.level === 'state' && isNumber(region('cases', S.kind, i, S.year))).length;
  const why = { census: 'census', interpolated: 'estimated between the censuses', extrapolated: 'estimated after the census of 2011' };
  $('now').textContent = heading(S);
  const cards = [
    ['cases', 'Cases registered', cases, showCases(cases), place.level === 'country' ? 'all states and union territories' : shareOf(S, cases)],
    ['rate_per_lakh', 'Rate per lakh persons', rate, showRate(rate), isNumber(rate) ? indiaRate(S) : isNumber(cases) ? 'no population for it' : 'no figure'],
    ['change_pct', `Change on ${year - 1}`, change, isNumber(change) ? showChange(change) : 'none', { 'no base': S.year ? 'nothing to compare with' : 'first year of the data', 'series break': 'the series breaks here' }[trend] ?? trend ?? 'no figure'],
    ['population', 'Population', persons, isNumber(persons) ? whole.format(persons) : 'not known', why[basis] ?? 'not counted apart'],
  ];
  if (place.level === 'state') cards.splice(3, 0, ['rank_in_year', 'Rank by cases', rank, isNumber(rank) ? `${rank} of ${among}` : 'none', S.head === null ? `1 = most cases${magnitude ? `; magnitude ${magnitude}` : ''}` : 'of groups, not of single heads']);
  $('kpis').replaceChildren(...cards.map(([field, name, value, text, more]) => element('div', { class: field === 'change_pct' ? trend : null }, element('dt', {}, name),
    element('dd', { class: 'big', 'data-kpi': field, 'data-value': value ?? '' }, text), element('dd', { class: 'fine' }, more ?? ''))));
  const record = { ...placeKey(S.place, year), ...kindKey(S), cases, population: persons ?? null, rate_per_lakh: rate, change_pct: change, trend };
  RECORDS.set('kpis', cases === null ? [] : [S.head === null ? { ...record, rank_in_year: rank } : record]);
  asks('kpis', figuresOf(S, { year: `${year}`, state_code: place.code }));
  drawNote(S, choose, cases, rate, KINDS[S.kind]);
}
function shareOf(S, cases) {
  const all = region('cases', S.kind, placeAt.get(D.country), S.year);
  return isNumber(cases) && all ? `${loose.format(Math.round(cases * 1000 / all) / 10)} % of India's` : '';
}
function indiaRate(S) {
  const rate = region('rate_per_lakh', S.kind, placeAt.get(D.country), S.year);
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
  if (parts.length && isNumber(region('cases', S.kind, placeAt.get(D.split.together), S.year)) && together && D.split.members.includes(place.code)) note.append(' ', link('Show both together, comparable over all years', () => choose(together.code)));
}


function drawRanking(S, choose) {
  const { column, name } = MEASURES[S.measure], limits = bounds(S.kind, S.measure), year = D.years[S.year];
  const states = D.places.map((place, p) => ({ place, p, value: region(column, S.kind, p, S.year), cases: region('cases', S.kind, p, S.year) }))
    .filter(({ place, cases }) => place.level === 'state' && isNumber(cases));
  states.sort((a, b) => (b.value ?? -1) - (a.value ?? -1) || b.cases - a.cases);
  const most = Math.max(...states.map(state => state.value ?? 0));
  $('rank-sub').textContent = `${KINDS[S.kind].label}, ${year}, by ${name.toLowerCase()}`;
  let order = 0;
  fillTable('rank-table', states.map(({ place, p, value, cases }) => {
    const rate = region('rate_per_lakh', S.kind, p, S.year);
    const swatch = element('svg:svg', { class: 'swatch', 'aria-hidden': 'true' }, element('svg:rect', { width: '100%', height: '100%', class: fill(value, limits) }));
    return {
      key: { ...placeKey(p, year), state: place.name, ...kindKey(S) },
      attributes: { 'data-code': place.code, class: p === S.place ? 'chosen' : null, 'aria-current': p === S.place ? 'true' : null },
      cells: [{ text: isNumber(value) ? `${++order}` : '–', kind: 'num' }, { node: [swatch, link(place.name, () => choose(place.code))], head: true },
        number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)), { kind: 'bar-col', node: bar(value, most) }],
    };
  }));
  if (S.head !== null) for (const record of RECORDS.get('rank-table')) delete record.state;
  asks('rank-table', S.head === null ? ['crime_by_region', { level: 'state', year: `${year}`, ...kindKey(S), state_code: 'all' }]
    : ['crime_by_head', { level: 'state', year: `${year}`, ...kindKey(S), state_code: 'all' }]);
}
function bar(value, most) {
  return element('svg:svg', { class: 'bar', viewBox: '0 0 60 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    isNumber(value) && most > 0 ? element('svg:rect', { width: Math.max(0.5, 60 * value / most), height: 8 }) : null);
}
