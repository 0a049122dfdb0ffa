// Crimes against women: their own table, whose scope grew in 2014.
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
  const scope = W.scopes[S.year], note = $('women-scope');
  note.dataset.scope = scope ?? '';
  note.textContent = `The table of ${D.years[S.year]} covers ${inWords(scope)}. ` + [...broken].map(y => `${D.years[y]} does not compare with the years before in all its heads: ${breakReason(W.groups[all], place.code, true, y)}. `).join('')
    + (breaksIn(core).size ? '' : 'The seven IPC heads were counted in every year and compare over time.');
  $('women-table').caption.textContent = `Crimes against women, ${place.name}, ${D.years[S.year]}`;
  fillTable('women-table', W.groups.map((group, g) => {
    const [cases, rate, change] = ['cases', 'rate_per_lakh', 'change_pct'].map(c => women(c, g, S.place, S.year));
    return { key: { ...placeKey(S.place, D.years[S.year]), women_group: group.code }, ...cases === null ? { records: [] } : {}, attributes: { 'data-group': group.code, class: g === core ? 'chosen' : null },
      cells: [{ head: true, text: group.label }, number('cases', cases, showCases(cases)), number('rate_per_lakh', rate, showRate(rate)), ...trendCells(change, trend(g, S.year))] };
  }));
  $('women-years').caption.textContent = `Crimes against women by year, ${place.name}`;
  fillTable('women-years', D.years.map((year, y) => {
    const [cases, rate, wide] = [women('cases', core, S.place, y), women('rate_per_lakh', core, S.place, y), women('cases', all, S.place, y)];
    return { records: [core, all].filter(g => isNumber(women('cases', g, S.place, y))).map(g => ({ ...placeKey(S.place, year), women_group: W.groups[g].code, scope: W.scopes[y], cases: women('cases', g, S.place, y), rate_per_lakh: women('rate_per_lakh', g, S.place, y) })),
      attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null, 'data-break': broken.has(y) || null },
      cells: [{ text: `${year}`, head: true }, number('core_seven', cases, showCases(cases)), number('core_seven_rate', rate, showRate(rate)), number('all_in_scope', wide, showCases(wide)),
        { field: 'scope', value: W.scopes[y], text: isNumber(wide) ? inWords(W.scopes[y]) : '–' }] };
  }));
  asks('women-table', ['crimes_against_women', { state_code: place.code, women_group: 'all', year: `${D.years[S.year]}` }]);
  asks('women-years', ...[core, all].map(g => ['crimes_against_women', { state_code: place.code, women_group: W.groups[g].code, year: 'all' }]));
}
