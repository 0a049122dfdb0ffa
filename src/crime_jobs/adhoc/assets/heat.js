// A heat map is a table whose cells are coloured: its numbers stand in it, for the eye, the keyboard and on paper.
/**
 * @param options {caption, corner, columns: [text], rows: [{head, attributes, cells: [{value, text, attributes}]}], now: column, unit}
 */
function drawHeat(id, options) {
  const table = $(id), limits = fifths(options.rows.flatMap(row => row.cells.map(cell => cell.value)), true);
  table.caption.textContent = options.caption;
  table.tHead.replaceChildren(element('tr', {}, element('th', { scope: 'col' }, options.corner),
    ...options.columns.map((text, i) => element('th', { scope: 'col', class: i === options.now ? 'num now' : 'num' }, text))));
  table.tBodies[0].replaceChildren(...options.rows.map(row => element('tr', row.attributes, element('th', { scope: 'row' }, row.head),
    ...row.cells.map(cell => element('td', { ...cell.attributes, class: `num ${fill(cell.value, limits)}`, 'data-value': cell.value ?? '' }, cell.text)))));
  const ends = ['fewest', 'most'];
  const swatches = Array.from({ length: limits.length + 1 }, (_, k) => element('svg:svg', { 'aria-hidden': 'true' }, element('svg:rect', { width: '100%', height: '100%', class: colour(k, limits.length + 1) })));
  $(`${id}-key`).replaceChildren(ends[0], ...swatches, `${ends[1]} ${options.unit}: fifths of the cells shown`);
}
