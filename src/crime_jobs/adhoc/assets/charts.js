// Lines and columns as SVG. Each is drawn at the width it gets, so text keeps its size on a phone.
const drawings = new Map();
const widths = new ResizeObserver(entries => {
  for (const { target, contentRect } of entries) {
    const drawing = drawings.get(target);
    if (drawing && Math.abs(drawing.width - contentRect.width) > 1) paint(target, drawing.draw, contentRect.width);
  }
});
/** Draw into a box, and again whenever its width changes. To ask for the width would lay the whole page out each time. */
function paint(box, draw, width = drawings.get(box)?.width ?? (box.clientWidth || 320)) {
  if (!drawings.has(box)) widths.observe(box);
  drawings.set(box, { draw, width });
  box.replaceChildren(...[draw(width)].flat());
}

/** Round steps for an axis from 0: three to six of them, at 1, 2 or 5 times a power of ten. */
function steps(most) {
  if (!(most > 0)) return [0, 1];
  const rough = most / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => i * step);
}

/** The stretches of a line: cut where there is no value, and where a series breaks. */
function stretches(values, breaks) {
  const found = [];
  values.forEach((value, y) => {
    if (!isNumber(value)) return;
    if (y && isNumber(values[y - 1]) && !breaks.has(y)) found.at(-1).push(y);
    else found.push([y]);
  });
  return found;
}

/** Names at the ends of the lines, pushed apart where they would overlap. */
function endNames(series, x, up) {
  const ends = series.map(s => ({ s, y: s.values.findLastIndex(isNumber) })).filter(end => end.y >= 0)
    .map(end => ({ ...end, at: up(end.s.values[end.y]) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => { if (i && end.at - ends[i - 1].at < 16) end.at = ends[i - 1].at + 16; });
  return ends.map(({ s, y, at }) => element('svg:text', { class: s.other ? 'name other' : 'name', x: x(y) + 10, y: at + 4 }, s.name));
}

/**
 * A line chart over the years.
 * @param options {label, series: [{name, values, breaks: Set, other, quiet}], now, show, pick, marks: {year index: text},
 *   changes: {values, trends} for a strip of columns below, tall: its height}
 */
function lineChart(box, options) {
  paint(box, width => {
    const several = options.series.length > 1, longest = Math.max(...options.series.map(s => s.name.length));
    const beside = several && width >= 620 && longest <= 34;
    const left = 62, right = beside ? longest * 6.6 + 22 : 18, top = 26, strip = options.changes ? 104 : 0, bottom = 30 + strip;
    const height = (options.tall ?? 270) + strip;
    const ticks = steps(Math.max(0, ...options.series.flatMap(s => s.values.filter(isNumber))));
    const x = y => left + (width - left - right) * (Y > 1 ? y / (Y - 1) : 0.5);
    const up = value => height - bottom - (height - top - bottom) * value / ticks.at(-1);
    const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': options.label });
    for (const tick of ticks) {
      svg.append(element('svg:line', { class: 'axis', x1: left, x2: width - right, y1: up(tick), y2: up(tick) }),
        element('svg:text', { x: left - 8, y: up(tick) + 4, 'text-anchor': 'end' }, showShort(tick)));
    }
    const every = (width - left - right) / Y < 34 ? 2 : 1;
    D.years.forEach((year, y) => (Y - 1 - y) % every || svg.append(element('svg:text',
      { x: x(y), y: height - bottom + 20, 'text-anchor': 'middle', class: y === options.now ? 'this-year' : null }, (width - left - right) / Y < 40 ? `’${String(year).slice(2)}` : `${year}`)));
    svg.append(element('svg:line', { class: 'now-line', x1: x(options.now), x2: x(options.now), y1: top, y2: height - bottom }));
    for (const [y, text] of Object.entries(options.marks ?? {})) {
      const middle = (x(+y) + x(+y - 1)) / 2;
      svg.append(element('svg:g', { class: 'break', 'data-break': D.years[y] },
        element('svg:line', { x1: middle, x2: middle, y1: top - 8, y2: height - bottom }),
        element('svg:text', { x: middle - 6, y: top - 10, 'text-anchor': 'end' }, text)));
    }
    for (const series of options.series) svg.append(curve(series, x, up, options, beside));
    if (beside) svg.append(...endNames(options.series, x, up));
    if (options.changes) svg.append(changeStrip(options.changes, x, { left, width: width - left - right, top: height - strip + 8, height: strip - 12, now: options.now }));
    D.years.forEach((year, y) => {
      const said = options.series.map(s => `${s.name}: ${options.show(s.values[y])}`);
      if (options.changes && isNumber(options.changes.values[y])) said.push(`Change on ${year - 1}: ${showChange(options.changes.values[y])}`);
      const hit = element('svg:rect', { class: 'hit', x: x(y) - (x(1) - x(0) || width) / 2, y: top, width: x(1) - x(0) || width, height: height - top });
      hit.addEventListener('pointermove', event => showTip(event, `${year}`, ...said));
      hit.addEventListener('pointerleave', hideTip);
      hit.addEventListener('click', () => options.pick(y));
      svg.append(hit);
    });
    return several && !beside ? [keyOf(options.series), svg] : svg;
  });
}
/** A key above a chart whose lines have no room for their names. */
function keyOf(series) {
  return element('ul', { class: 'key' }, ...series.map(s => element('li', { class: s.other ? 'other' : null },
    element('svg:svg', { viewBox: '0 0 29 11', 'aria-hidden': 'true' }, element('svg:path', { d: 'M0 5.5H29' })), s.name)));
}
/** Columns up and down: the change of each year on the one before; a break has a mark and no column. */
function changeStrip({ values, trends }, x, { left, width, top, height, now }) {
  const most = Math.max(5, ...values.filter(isNumber).map(Math.abs)), middle = top + 14 + (height - 14) / 2, half = (height - 14) / 2 - 14;
  const step = x(1) - x(0) || width, wide = Math.min(46, step * 0.6);
  const group = element('svg:g', { class: 'changes' }, element('svg:text', { class: 'strip-name', x: left, y: top + 6 }, 'Change on the year before, %'),
    element('svg:line', { class: 'axis', x1: left, x2: left + width, y1: middle, y2: middle }));
  values.forEach((value, y) => {
    if (!isNumber(value)) {
      if (trends[y] === 'series break') group.append(element('svg:text', { class: 'cut', x: x(y), y: middle - 5, 'text-anchor': 'middle' }, '✕'));
      return;
    }
    const tall = Math.max(1, half * Math.abs(value) / most);
    group.append(element('svg:rect', { class: `change ${trends[y]} ${y === now ? 'now' : ''}`, x: x(y) - wide / 2, width: wide, y: value > 0 ? middle - tall : middle, height: tall, 'data-year': D.years[y], 'data-value': value }));
    if (step >= 46 || y === now) group.append(element('svg:text', { class: y === now ? 'this-year' : null, x: x(y), y: value > 0 ? middle - tall - 4 : middle + tall + 12, 'text-anchor': 'middle' }, `${value > 0 ? '+' : value < 0 ? '−' : ''}${tenths.format(Math.abs(value))}`));
  });
  return group;
}

function curve(series, x, up, options, beside) {
  const group = element('svg:g', { class: series.other ? 'other' : null, 'data-series': series.name });
  for (const part of stretches(series.values, series.breaks)) {
    if (part.length > 1) {
      group.append(element('svg:path', { class: 'curve', 'data-from': D.years[part[0]], 'data-to': D.years[part.at(-1)],
        d: part.map((y, i) => `${i ? 'L' : 'M'}${x(y).toFixed(1)} ${up(series.values[y]).toFixed(1)}`).join('') }));
    }
  }
  series.values.forEach((value, y) => {
    if (!isNumber(value)) return;
    const now = y === options.now;
    group.append(element('svg:circle', { class: now ? 'dot now' : 'dot', cx: x(y), cy: up(value), r: now ? 5 : 3, 'data-year': D.years[y], 'data-value': value }));
    if (now && !series.quiet) {
      const end = y > Y * 0.7 && !beside;
      group.append(element('svg:text', { class: 'value', x: x(y) + (end ? 6 : 0), y: up(value) - 11, 'text-anchor': end ? 'end' : 'middle' }, options.show(value)));
    }
  });
  return group;
}

/** Columns. @param options {label, names, brief: names for a narrow place, values, show, tips: [[line, …]]} */
function columnChart(box, options) {
  paint(box, width => {
    const height = 250, left = 8, right = 8, top = 24, bottom = 28;
    const most = Math.max(1, ...options.values.filter(isNumber));
    const step = (width - left - right) / options.values.length, wide = step * 0.72;
    const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': options.label },
      element('svg:line', { class: 'axis', x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
    options.values.forEach((value, i) => {
      const tall = isNumber(value) ? (height - top - bottom) * value / most : 0, x = left + i * step + (step - wide) / 2;
      const column = element('svg:rect', { class: value === most ? 'column most' : 'column', x, y: height - bottom - tall, width: wide, height: tall, rx: 3, 'data-value': value ?? '' });
      const middle = x + wide / 2;
      const narrow = step < options.names[i].length * 7 + 6;
      svg.append(column, element('svg:text', { class: narrow ? 'narrow' : null, x: middle, y: height - 9, 'text-anchor': 'middle' }, (narrow ? options.brief : options.names)[i]));
      if (isNumber(value) && (step >= 52 || (value === most && step >= 20))) {
        const anchor = step >= 52 ? 'middle' : i < 2 ? 'start' : i > options.values.length - 3 ? 'end' : 'middle';
        const place = anchor === 'start' ? x : anchor === 'end' ? x + wide : middle;
        svg.append(element('svg:text', { class: 'value', x: place, y: height - bottom - tall - 7, 'text-anchor': anchor }, options.show(value)));
      }
      const hit = element('svg:rect', { class: 'hit', x: left + i * step, y: top, width: step, height: height - top - bottom });
      hit.addEventListener('pointermove', event => showTip(event, ...options.tips[i]));
      hit.addEventListener('pointerleave', hideTip);
      svg.append(hit);
    });
    return svg;
  });
}

/** A line the size of a word; the table beside it has the numbers. */
function sparkline(values, breaks, now) {
  const most = Math.max(1e-9, ...values.filter(isNumber));
  const x = y => 2 + 92 * (Y > 1 ? y / (Y - 1) : 0.5), up = value => 22 - 20 * value / most;
  const svg = element('svg:svg', { class: 'spark', viewBox: '0 0 96 24', 'aria-hidden': 'true' });
  for (const part of stretches(values, breaks)) {
    svg.append(element('svg:path', { d: part.map((y, i) => `${i ? 'L' : 'M'}${x(y).toFixed(1)} ${up(values[y]).toFixed(1)}`).join('') }));
  }
  if (isNumber(values[now])) svg.append(element('svg:circle', { cx: x(now), cy: up(values[now]), r: 2.8 }));
  return svg;
}
