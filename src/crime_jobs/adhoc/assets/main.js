// What is chosen, kept in the address (#group=…&place=…), so that a view can be bookmarked and sent on.
const S = { group: 0, measure: 'rate', year: Y - 1, place: placeAt.get(D.country) ?? 0 };
let playing = null, announcing = null;

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  // What the page does not know (an old bookmark) is left as it is.
  if (groupAt.has(given.get('group'))) S.group = groupAt.get(given.get('group'));
  if (placeAt.has(given.get('place'))) S.place = placeAt.get(given.get('place'));
  if (Object.hasOwn(MEASURES, given.get('measure'))) S.measure = given.get('measure');
  const year = D.years.indexOf(Number(given.get('year')));
  if (year >= 0) S.year = year;
}
function writeAddress() {
  const given = new URLSearchParams({ group: D.groups[S.group].code, place: D.places[S.place].code, measure: S.measure, year: D.years[S.year] });
  history.replaceState(null, '', `#${given}`);
}

/** Tell screen readers, once the choice has settled. */
function announce() {
  clearTimeout(announcing);
  if (playing) return;
  announcing = setTimeout(() => {
    const [cases, rate] = ['cases', 'rate_per_lakh'].map(c => region(c, S.group, S.place, S.year));
    $('live').textContent = `${heading(S)}: ${isNumber(cases) ? `${showCases(cases)} cases` : 'no figure'}, ${isNumber(rate) ? `${showRate(rate)} per lakh persons` : 'no rate'}.`;
  }, 250);
}

function change(what, quiet = false) {
  const focus = keepFocus();
  Object.assign(S, what);
  $('group').value = D.groups[S.group].code;
  $('place').value = D.places[S.place].code;
  $('year').value = S.year;
  $('year').setAttribute('aria-valuetext', D.years[S.year]);
  $('year-shown').textContent = D.years[S.year];
  document.querySelector(`input[name=measure][value=${S.measure}]`).checked = true;
  $('map-sub').textContent = `${D.groups[S.group].label}, ${D.years[S.year]}, ${MEASURES[S.measure].unit}`;
  drawFigures(S, choosePlace);
  drawMap(S);
  drawRanking(S, choosePlace);
  drawTrend(S, pickYear);
  drawGroups(S, code => change({ group: groupAt.get(code) }));
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
  const key = ['data-code', 'data-group'].find(name => row.hasAttribute(name));
  return () => key && [...table.tBodies[0].rows].find(r => r.getAttribute(key) === row.getAttribute(key))?.querySelector('button')?.focus({ preventScroll: true });
}

function choosePlace(code) {
  const p = placeAt.get(countedIn(code, S.year)); // a shape without any figure can't be chosen
  if (p !== undefined) change({ place: p });
}
function pickYear(y) { stop(); change({ year: y }); }

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
readAddress();
change({}, true);
document.documentElement.dataset.ready = 'true';
