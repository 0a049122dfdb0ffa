// The trend of a place, its kinds of crime, and the single heads of a kind.
function drawTrend(S, pick) {
  const place = D.places[S.place], kind = KINDS[S.kind], { column, name } = MEASURES[S.measure];
  const trends = overYears(y => trendOf(S.kind, S.place, y)), breaks = breaksOf(trends), india = placeAt.get(D.country);
  const series = [{ name: place.name, values: overYears(y => region(column, S.kind, S.place, y)), breaks }];
  if (S.measure === 'rate' && S.place !== india) {
    series.unshift({ name: D.places[india].name, other: true, quiet: true, values: overYears(y => region(column, S.kind, india, y)), breaks: breaksOf(overYears(y => trendOf(S.kind, india, y))) });
  }
  $('trend-sub').textContent = `${kind.label}, ${place.name}: ${name.toLowerCase()} by year, and the change of cases`;
  const marks = Object.fromEntries([...breaks].map(y => [y, `${D.years[y]}: series breaks`]));
  const changes = { values: overYears(y => region('change_pct', S.kind, S.place, y)), trends };
  lineChart($('trend-chart'), { label: `Line chart: ${$('trend-sub').textContent}. Its numbers follow as a table.`, series, now: S.year, marks, changes, pick, show: value => showMeasure(S.measure, value) });
  const said = [...breaks].map(y => `${D.years[y]} does not compare with the years before: ${breakReason(kind, place.code, true, y)}.`);
  $('trend-break').hidden = !said.length;
  $('trend-break').textContent = said.join(' ');
  $('trend-table').caption.textContent = `${kind.label}, ${place.name}`;
  fillTable('trend-table', D.years.map((year, y) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => region(c, S.kind, S.place, y));
    return { key: { ...placeKey(S.place, year), ...kindKey(S) }, ...cases === null ? { records: [] } : {},
      attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null, 'data-break': breaks.has(y) || null },
      cells: [{ text: `${year}`, head: true }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)), ...trendCells(change, trends[y])] };
  }));
  asks('trend-table', figuresOf(S, { year: 'all', state_code: place.code }));
}

function drawGroups(S, choose) {
  const place = D.places[S.place], { column } = MEASURES[S.measure], year = D.years[S.year];
  $('groups-sub').textContent = `${place.name}, ${year}`;
  fillTable('groups-table', D.groups.map((group, g) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => region(c, g, S.place, S.year));
    const trends = overYears(y => trendOf(g, S.place, y));
    return { key: { ...placeKey(S.place, year), crime_group: group.code }, ...cases === null ? { records: [] } : {},
      attributes: { 'data-group': group.code, class: g === S.group ? 'chosen' : null, 'aria-current': g === S.group ? 'true' : null },
      cells: [{ head: true, node: link(group.label, () => choose({ group: g, head: null })) }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)),
        ...trendCells(change, trends[S.year]), { kind: 'spark-col', node: sparkline(overYears(y => region(column, g, S.place, y)), breaksOf(trends), S.year) }] };
  }));
  asks('groups-table', ['crime_by_place', { level: 'all', year: `${year}`, crime_group: 'all', state_code: place.code }]);
}

/** The single heads of the chosen group that are counted in the year; most cases first. */
function drawHeads(S, choose) {
  const place = D.places[S.place], year = D.years[S.year], group = D.groups[S.group], { column } = MEASURES[S.measure];
  const rows = D.heads.map((head, h) => ({ head, h, k: D.groups.length + h })).filter(({ head, k }) => head.groups.includes(S.group) && region('cases', k, S.place, S.year) !== null);
  rows.sort((a, b) => region('cases', b.k, S.place, S.year) - region('cases', a.k, S.place, S.year));
  const sub = `${group.label}, ${place.name}, ${year}: ${rows.length} ${rows.length === 1 ? 'head' : 'heads'}`;
  $('heads-sub').textContent = sub;
  $('heads-table').caption.textContent = sub;
  fillTable('heads-table', rows.map(({ head, h, k }) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => region(c, k, S.place, S.year)), trend = trendOf(k, S.place, S.year);
    return { key: { ...placeKey(S.place, year), crime_head: head.code }, attributes: { 'data-head': head.code, class: h === S.head ? 'chosen' : null, 'aria-current': h === S.head ? 'true' : null },
      cells: [{ head: true, node: link(head.label, () => choose({ head: h })) }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)),
        ...trendCells(change, trend), { kind: 'spark-col', node: sparkline(overYears(y => region(column, k, S.place, y)), breaksOf(overYears(y => trendOf(k, S.place, y))), S.year) }] };
  }));
  asks('heads-table', ['crime_by_head', { level: 'all', year: `${year}`, crime_head: 'all', crime_group: group.code, state_code: place.code }]);
}
