// Two places side by side.
/** The place to compare with: the chosen one; else India, and for India the state that leads the ranking. */
function otherOf(S) {
  if (S.other !== null && S.other !== S.place) return S.other;
  const india = placeAt.get(D.country);
  if (S.place !== india) return india;
  const { column } = MEASURES[S.measure];
  let most = null;
  D.places.forEach((place, p) => {
    const value = region(column, S.kind, p, S.year);
    if (place.level === 'state' && isNumber(value) && (most === null || value > region(column, S.kind, most, S.year))) most = p;
  });
  return most ?? D.places.findIndex(place => place.level === 'state');
}

function drawCompare(S, pick, choose) {
  const { column, name, unit } = MEASURES[S.measure], kind = KINDS[S.kind], year = D.years[S.year];
  const both = [S.place, otherOf(S)], places = both.map(p => D.places[p]);
  const breaks = p => breaksOf(overYears(y => trendOf(S.kind, p, y)));
  $('compare-sub').textContent = `${places[0].name} and ${places[1].name}: ${kind.label}, ${unit}`;
  const series = both.map((p, i) => ({ name: D.places[p].name, other: i === 1, values: overYears(y => region(column, S.kind, p, y)), breaks: breaks(p) }));
  const marks = Object.fromEntries([...new Set(both.flatMap(p => [...breaks(p)]))].map(y => [y, `${D.years[y]}: series breaks`]));
  lineChart($('compare-chart'), { label: `Line chart: ${$('compare-sub').textContent}, by year. Its numbers follow as a table.`, series, now: S.year, marks, pick, tall: 440, show: value => showMeasure(S.measure, value) });
  const without = both.filter(p => S.measure === 'rate' && !isNumber(region('rate_per_lakh', S.kind, p, S.year)) && isNumber(region('cases', S.kind, p, S.year)));
  $('compare-note').hidden = S.measure === 'rate' && !without.length;
  $('compare-note').textContent = S.measure === 'rate' ? `${without.map(p => D.places[p].name).join(' and ')}: no rate in ${year}, as the population is not known.`
    : 'Cases grow with the population: compare places by their rate.';
  drawCompareYears(S, both, kind);
  drawCompareGroups(S, both, places, choose);
}

function drawCompareYears(S, both, kind) {
  $('compare-years').caption.textContent = `${kind.label} by year`;
  both.forEach((p, i) => { $(`compare-years-${i}`).textContent = D.places[p].name; });
  fillTable('compare-years', D.years.map((year, y) => {
    const figures = both.map(p => ['cases', 'rate_per_lakh'].map(c => region(c, S.kind, p, y)));
    return { attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null },
      records: both.flatMap((p, i) => isNumber(figures[i][0]) ? [{ ...placeKey(p, year), ...kindKey(S), cases: figures[i][0], rate_per_lakh: figures[i][1] }] : []),
      cells: [{ head: true, text: `${year}` }, ...figures.flatMap(([cases, rate], i) => [number(`cases_${'ab'[i]}`, cases, showCases(cases)), number(`rate_${'ab'[i]}`, rate, showRate(rate))])] };
  }));
  asks('compare-years', ...both.map(p => figuresOf(S, { year: 'all', state_code: D.places[p].code })));
}

function drawCompareGroups(S, both, places, choose) {
  const year = D.years[S.year], { column } = MEASURES[S.measure];
  $('compare-table').caption.textContent = `All kinds of crime, ${year}`;
  places.forEach((place, i) => { $(`compare-name-${i}`).textContent = place.name; });
  const rows = D.groups.map((group, g) => {
    const figures = both.map(p => ['cases', 'rate_per_lakh'].map(c => region(c, g, p, S.year)));
    if (figures.every(([cases]) => cases === null)) return null;
    const [[casesA, rateA], [casesB, rateB]] = figures;
    return { attributes: { 'data-group': group.code, class: g === S.kind ? 'chosen' : null },
      records: [{ crime_group: group.code, year, state_a: casesA === null ? null : places[0].name, cases_a: casesA, rate_a: rateA, state_b: casesB === null ? null : places[1].name, cases_b: casesB, rate_b: rateB }],
      cells: [{ head: true, node: link(group.label, () => choose(group.code)) }, number('cases_a', casesA, showCases(casesA)), number('rate_a', rateA, showRate(rateA)),
        number('cases_b', casesB, showCases(casesB)), number('rate_b', rateB, showRate(rateB)), { kind: 'pair-col', node: pair(both.map(p => region(column, g, p, S.year))) }] };
  });
  fillTable('compare-table', rows.filter(Boolean));
  asks('compare-table', ['compare_places', { state_a: places[0].code, state_b: places[1].code, year: `${year}` }]);
}
/** Two bars, each by its share of the larger; the numbers stand beside them. */
function pair(values) {
  const most = Math.max(...values.filter(isNumber), 0);
  return element('svg:svg', { class: 'pair', viewBox: '0 0 96 18', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, ...values.flatMap((value, i) =>
    isNumber(value) && most > 0 ? [element('svg:rect', { class: i ? 'b' : 'a', x: 0, y: i * 9 + 1, height: 7, width: Math.max(1, 96 * value / most) })] : []));
}
