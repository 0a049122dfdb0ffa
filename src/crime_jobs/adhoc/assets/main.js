// What is chosen, kept in the address (#group=…&place=…), so that a view can be bookmarked and sent on.
const S = { group: 0, head: null, kind: 0, measure: 'rate', year: Y - 1, place: placeAt.get(D.country) ?? 0, other: null, list: 'districts' };
let playing = null, announcing = null;

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  // What the page does not know (an old bookmark) is left as it is.
  if (groupAt.has(given.get('group'))) Object.assign(S, { group: groupAt.get(given.get('group')), head: null });
  const head = headAt.get(given.get('head'));
  if (head !== undefined && D.heads[head].groups.includes(S.group)) S.head = head;
  if (placeAt.has(given.get('place'))) S.place = placeAt.get(given.get('place'));
  S.other = placeAt.get(given.get('with')) ?? null;
  if (Object.hasOwn(MEASURES, given.get('measure'))) S.measure = given.get('measure');
  const year = D.years.indexOf(Number(given.get('year')));
  if (year >= 0) S.year = year;
}
function writeAddress() {
  const given = new URLSearchParams({ group: D.groups[S.group].code, place: D.places[S.place].code, measure: S.measure, year: D.years[S.year] });
  if (S.head !== null) given.set('head', D.heads[S.head].code);
  if (S.other !== null) given.set('with', D.places[S.other].code);
  history.replaceState(null, '', `#${given}`);
}

/** Tell screen readers, once the choice has settled. */
function announce() {
  clearTimeout(announcing);
  if (playing) return;
  announcing = setTimeout(() => {
    const [cases, rate] = ['cases', 'rate_per_lakh'].map(c => region(c, S.kind, S.place, S.year));
    $('live').textContent = `${heading(S)}: ${isNumber(cases) ? `${showCases(cases)} cases` : 'no figure'}, ${isNumber(rate) ? `${showRate(rate)} per lakh persons` : 'no rate'}.`;
  }, 250);
}

/** The heads of the chosen group, each with the years that count it, where those are not all. */
function fillHeads() {
  const key = `${S.group}`;
  if ($('head').dataset.group !== key) {
    const india = placeAt.get(D.country);
    const options = D.heads.flatMap((head, h) => head.groups.includes(S.group) ? [[head, D.years.filter((_, y) => region('cases', D.groups.length + h, india, y) !== null)]] : []);
    $('head').replaceChildren(element('option', { value: '' }, 'All heads of the group'), ...options.map(([head, years]) => {
      const all = years.length === Y, span = years[0] === years.at(-1) ? years[0] : `${years[0]}–${years.at(-1)}`;
      return element('option', { value: head.code }, all ? head.label : `${head.label} (${span})`);
    }));
    $('head').dataset.group = key;
  }
  $('head').value = S.head === null ? '' : D.heads[S.head].code;
}
function fillControls() {
  $('group').value = D.groups[S.group].code;
  fillHeads();
  $('place').value = D.places[S.place].code;
  $('with').options[0].textContent = `Automatic: ${D.places[otherOf({ ...S, other: null })].name}`;
  $('with').value = S.other === null ? '' : D.places[S.other].code;
  $('year').value = S.year;
  $('year').setAttribute('aria-valuetext', D.years[S.year]);
  $('year-shown').textContent = D.years[S.year];
  document.querySelector(`input[name=measure][value=${S.measure}]`).checked = true;
}

function change(what, quiet = false) {
  const focus = keepFocus();
  if (what.group !== undefined && what.group !== S.group && what.head === undefined) S.head = null;
  if (what.place !== undefined && what.place !== S.place) S.list = 'districts';
  Object.assign(S, what);
  S.kind = S.head === null ? S.group : D.groups.length + S.head;
  fillControls();
  $('map-sub').textContent = `${KINDS[S.kind].label}, ${D.years[S.year]}, ${MEASURES[S.measure].unit}`;
  drawCrumbs(S, choosePlace);
  drawFigures(S, choosePlace);
  drawMap(S);
  drawRanking(S, choosePlace);
  drawDistricts(S);
  drawTrend(S, pickYear);
  drawGroups(S, change);
  drawHeads(S, change);
  drawCompare(S, pickYear, code => change({ group: groupAt.get(code), head: null }));
  drawWomen(S, pickYear);
  drawTraffic(S);
  drawHot(S);
  focus();
  if (!quiet) { writeAddress(); announce(); }
}

/** Rows and states are made or moved anew; what had the focus gets it back. */
function keepFocus() {
  const held = document.activeElement, row = held?.closest?.('tr'), table = held?.closest?.('table');
  if (held?.classList?.contains('state')) return () => held.isConnected && document.activeElement !== held && held.focus();
  if (!row || !table) return () => {};
  const key = ['data-code', 'data-group', 'data-head'].find(name => row.hasAttribute(name));
  return () => {
    const again = key && [...table.tBodies[0].rows].find(r => r.getAttribute(key) === row.getAttribute(key))?.querySelector('button');
    // The states gave way to the chosen one's districts: on to the way back.
    if (table.closest('[hidden]')) document.querySelector('#crumbs button')?.focus({ preventScroll: true });
    else again?.focus({ preventScroll: true });
  };
}

function choosePlace(code) {
  const p = placeAt.get(countedIn(code, S.year)); // a shape without any figure can't be chosen
  if (p !== undefined) change({ place: p });
}
function pickYear(y) { stop(); change({ year: y }); }

/** What does not agree stands in the document, to be read without a script; here it becomes a file. */
function fillQuality() {
  const figure = text => text === '' ? null : Number(text);
  RECORDS.set('discrepancies', [...document.querySelectorAll('#discrepancies li')].map(({ dataset: d }) => ({ check_name: d.check, source_file: d.source, scope: d.scope,
    expected: figure(d.expected), found: figure(d.found), difference: figure(d.difference), status: d.status })));
  asks('discrepancies', ['data_quality', { status: 'not ok' }]);
  RECORDS.set('checks-table', [...document.querySelectorAll('#checks-table tbody tr')].map(row => ({ check_name: row.dataset.check,
    ...Object.fromEntries([...row.querySelectorAll('[data-field]')].map(cell => [cell.dataset.field, Number(cell.dataset.value)])) })));
  asks('checks-table', ['data_quality', { status: 'all' }]);
}

function stop() {
  clearInterval(playing);
  playing = null;
  $('play').setAttribute('aria-pressed', false);
  $('play').setAttribute('aria-label', 'Play the years');
}
function play() {
  if (playing) { stop(); announce(); return; }
  if (S.year === Y - 1) change({ year: 0 }, true);
  $('play').setAttribute('aria-pressed', true);
  $('play').setAttribute('aria-label', 'Stop playing the years');
  playing = setInterval(() => {
    if (S.year < Y - 1) change({ year: S.year + 1 }, true);
    if (S.year === Y - 1) { stop(); writeAddress(); announce(); }
  }, 900);
}

$('controls').addEventListener('submit', event => event.preventDefault());
$('group').addEventListener('change', event => change({ group: groupAt.get(event.target.value) }));
$('head').addEventListener('change', event => change({ head: headAt.get(event.target.value) ?? null }));
$('with').addEventListener('change', event => change({ other: placeAt.get(event.target.value) ?? null }));
for (const input of document.querySelectorAll('input[name=list]')) input.addEventListener('change', () => { S.list = input.value; drawDistricts(S); });
$('place').addEventListener('change', event => change({ place: placeAt.get(event.target.value) }));
$('year').addEventListener('input', event => pickYear(+event.target.value));
$('play').addEventListener('click', play);
for (const input of document.querySelectorAll('input[name=measure]')) input.addEventListener('change', () => change({ measure: input.value }));
addEventListener('hashchange', () => {
  if (!location.hash.includes('=')) return;
  readAddress();
  change({}, true);
  announce();
});
addEventListener('keydown', event => event.key === 'Escape' && hideTip());
startMap(choosePlace);
startTools();
readAddress();
change({}, true);
drawFirs();
fillQuality();
document.documentElement.dataset.first = 'true';
// The districts are four fifths of the data: they are unpacked once the first view can be seen.
await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
MORE = await unpack('more');
drawDistricts(S);
drawHot(S);
document.documentElement.dataset.ready = 'true';
