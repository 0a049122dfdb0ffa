// Beside every figure: its numbers as a table, its rows as a file, and the statement that gives them.
const ASKED = new Map();

/** Say where the rows of a table come from: [question, {parameter: value}] each. */
function asks(id, ...queries) {
  ASKED.set(id, queries);
  const panel = $(`${id}-sql`);
  if (panel && !panel.hidden) showQuery(id);
}
/** The statement with its values in it, as literals: what crime-jobs makes of the same question. */
function statement([name, given]) {
  const { sql, defaults } = D.statements[name];
  return sql.replace(/'\u27e6([a-z_]+)\u27e7'/g, (_, parameter) =>
    `'${String(Object.hasOwn(given, parameter) ? given[parameter] : defaults[parameter]).replaceAll("'", "''")}'`);
}
function command([name, given]) {
  const quoted = value => /^[\w.+-]+$/.test(value) ? value : `'${String(value).replaceAll("'", "'\\''")}'`;
  return `crime-jobs sql ${name}${Object.entries(given).map(([key, value]) => ` --param ${key}=${quoted(value)}`).join('')}`;
}
function showQuery(id) {
  const queries = ASKED.get(id) ?? [];
  $(`${id}-sql`).querySelector('.statements').replaceChildren(...queries.flatMap(query => [
    element('p', { class: 'fine' }, `${D.statements[query[0]].title}. On a terminal: `, element('code', {}, command(query))),
    element('pre', { tabindex: 0, role: 'group', 'aria-label': `Statement of ${query[0]}`, 'data-question': query[0], 'data-given': JSON.stringify(query[1]) }, element('code', {}, statement(query)))]));
}

function csvOf(records) {
  const columns = [...new Set(records.flatMap(Object.keys))];
  const cell = value => value === null || value === undefined ? '' : /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : `${value}`;
  return [columns, ...records.map(record => columns.map(column => record[column]))].map(row => `${row.map(cell).join(',')}\r\n`).join('');
}
/** Hand a file over; it never leaves the page otherwise. */
function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  element('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
/** A name that says what is in it: the table, and the values that its first statement was asked with. */
function fileOf(id) {
  const [, given] = ASKED.get(id)?.[0] ?? ['', {}];
  return `${[`crime-${id.replace(/-table$/, '')}`, ...Object.values(given)].join('-').replace(/[^\w+-]+/g, '_')}.csv`;
}

function toggle(button) {
  const panel = $(button.getAttribute('aria-controls')), open = panel.hidden;
  panel.hidden = !open;
  button.setAttribute('aria-expanded', open);
  return open;
}
async function copy(panel) {
  const text = [...panel.querySelectorAll('pre')].map(pre => pre.textContent).join(';\n\n'), said = panel.querySelector('.said');
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = 'Copied.';
  } catch {
    getSelection().selectAllChildren(panel.querySelector('.statements'));
    said.textContent = 'Selected: copy it with Ctrl-C.';
  }
}
function startTools() {
  document.addEventListener('click', event => {
    const button = event.target.closest('.tools button, .sql button');
    if (!button) return;
    const id = button.closest('[data-for]').dataset.for;
    if (button.dataset.tool === 'csv') save(fileOf(id), csvOf(RECORDS.get(id) ?? []));
    else if (button.dataset.tool === 'copy') copy(button.closest('.sql'));
    else if (toggle(button) && button.dataset.tool === 'sql') showQuery(id);
  });
}
