// The map: every state is an option of a list box, so that keyboard and screen reader have what the mouse has.
const shapes = [...document.querySelectorAll('#map .state')];
const shapeOf = new Map(shapes.map(shape => [shape.dataset.code, shape]));

/** Lower bounds of the classes after the first: fifths of all states' figures of the group in all years. */
const bounds = (() => {
  const known = new Map();
  return (g, measure) => {
    const key = `${g}/${measure}`;
    if (!known.has(key)) {
      const values = [];
      D.places.forEach((place, p) => {
        if (place.level === 'state') for (let y = 0; y < Y; y++) values.push(region(MEASURES[measure].column, g, p, y));
      });
      known.set(key, fifths(values, measure === 'cases'));
    }
    return known.get(key);
  };
})();
function drawMap(S) {
  const { column, unit } = MEASURES[S.measure], limits = bounds(S.kind, S.measure), counts = new Map();
  for (const shape of shapes) {
    const code = countedIn(shape.dataset.code, S.year), p = placeAt.get(code);
    const value = p === undefined ? null : region(column, S.kind, p, S.year);
    const k = classOf(value, limits);
    const itself = code === shape.dataset.code;
    if (itself) counts.set(k, (counts.get(k) ?? 0) + 1);
    const within = itself ? '' : ' (counted within Andhra Pradesh until 2013)';
    const chosen = D.places[S.place].code;
    const selected = code === chosen || (chosen === D.split.together && D.split.members.includes(code));
    shape.setAttribute('class', `state ${fill(value, limits)}`);
    shape.setAttribute('aria-selected', selected);
    shape.setAttribute('aria-label', `${shape.dataset.name}${within}: ${showMeasure(S.measure, value)}${isNumber(value) ? ` ${unit}` : ''}`);
    shape.dataset.class = k ?? 'none';
    shape.dataset.value = value ?? '';
  }
  ring('chosen', shapes.filter(shape => shape.getAttribute('aria-selected') === 'true'));
  drawLegend(S, limits, counts);
  const focused = shapes.find(shape => shape === document.activeElement) ?? shapeOf.get(D.places[S.place].code) ?? shapes[0];
  rove(focused);
}

function drawLegend(S, limits, counts) {
  const show = S.measure === 'rate' ? value => loose.format(value) : value => whole.format(value);
  $('legend-title').textContent = `${KINDS[S.kind].label}, ${MEASURES[S.measure].unit}; in brackets the number of states`;
  const swatch = kind => element('svg:svg', { 'aria-hidden': 'true' }, element('svg:rect', { width: '100%', height: '100%', class: kind }));
  const items = Array.from({ length: limits.length + 1 }, (_, k) => {
    const low = limits[k - 1], high = limits[k];
    const text = low === undefined ? (high === undefined ? 'all' : `under ${show(high)}`)
      : high === undefined ? `${show(low)} and more` : `${show(low)} to under ${show(high)}`;
    return element('li', { 'data-class': k, 'data-low': low ?? '', 'data-high': high ?? '', 'data-count': counts.get(k) ?? 0 },
      swatch(colour(k, limits.length + 1)), `${text} (${counts.get(k) ?? 0})`);
  });
  const none = counts.get(null) ?? 0;
  if (none) items.push(element('li', { 'data-class': 'none', 'data-count': none }, swatch('kn'), `${S.measure === 'rate' ? 'no rate' : 'no figure'} (${none})`));
  $('legend').replaceChildren(...items);
}

/** Outline states, above all others, so that no neighbour covers the line. */
function ring(kind, outlined) {
  for (const old of document.querySelectorAll(`#rings .${kind}`)) old.remove();
  $('rings').append(...outlined.map(shape => {
    // Twice: a wide line in the page's colour below, so that the ring shows on light and on dark.
    const copies = ['case', 'line'].map(role => element('svg:g', { class: role }, ...[...shape.children].map(part => part.cloneNode())));
    return element('svg:g', { class: kind }, ...copies);
  }));
}

/** One state of the map is in the tab order at a time. */
function rove(shape) { for (const other of shapes) other.setAttribute('tabindex', other === shape ? 0 : -1); }

/** The nearest state in the direction of an arrow key: distance, with what lies aside counted double. */
function neighbour(shape, dx, dy) {
  const [x, y] = [+shape.dataset.x, +shape.dataset.y];
  let best = null, least = Infinity;
  for (const other of shapes) {
    const [ox, oy] = [other.dataset.x - x, other.dataset.y - y];
    const ahead = ox * dx + oy * dy, aside = Math.abs(ox * dy) + Math.abs(oy * dx);
    if (other !== shape && ahead > 0 && ahead + 2 * aside < least) [best, least] = [other, ahead + 2 * aside];
  }
  return best;
}

function startMap(choose) {
  const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
  const byName = [...shapes].sort((a, b) => a.dataset.name.localeCompare(b.dataset.name));
  $('map').addEventListener('keydown', event => {
    const shape = event.target.closest('.state');
    if (!shape || event.ctrlKey || event.metaKey || event.altKey) return;
    let next = null;
    if (ARROWS[event.key]) next = neighbour(shape, ...ARROWS[event.key]) ?? shape;
    else if (event.key === 'Home') next = byName[0];
    else if (event.key === 'End') next = byName.at(-1);
    else if (event.key === 'Enter' || event.key === ' ') choose(shape.dataset.code);
    else if (event.key === 'Escape') choose(D.country);
    else return;
    event.preventDefault();
    if (next) { rove(next); next.focus(); }
  });
  const tell = (event, shape) => showTip(event, shape.dataset.name, shape.getAttribute('aria-label').slice(shape.dataset.name.length).replace(/^(:| )\s*/, ''));
  for (const shape of shapes) {
    shape.addEventListener('click', () => { rove(shape); choose(shape.dataset.code); });
    shape.addEventListener('pointermove', event => tell(event, shape));
    shape.addEventListener('pointerleave', hideTip);
    shape.addEventListener('focus', event => {
      if (!shape.matches(':focus-visible')) return;
      ring('focused', [shape]);
      tell(event, shape);
    });
    shape.addEventListener('blur', () => { ring('focused', []); hideTip(); });
  }
}
