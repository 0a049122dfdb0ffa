// The roads by time of day and month; and FIRs of the stream.
function drawTraffic(S) {
  const code = onTheRoads(D.places[S.place].code), p = placeAt.get(code), place = D.places[p], year = D.years[S.year];
  const undivided = place.code !== D.places[S.place].code || (D.split.members.includes(code) && year >= D.split.year);
  $('traffic-sub').textContent = `${place.name}${undivided ? ' undivided, with Telangana (the road tables have only the two together)' : ''}, ${year}: road accidents`;
  drawBuckets('slots', 'slot', 'by time of day', D.slots, p, S, bucket => bucket.replace('-', '–'), bucket => bucket.split('-').map(Number).join('–'), bucket => `${bucket.replace('-', ' to ')} hours`, [['share_pct', showPercent]]);
  drawBuckets('months', 'month_number', 'by month', D.months, p, S, bucket => MONTHS[bucket - 1], bucket => MONTHS[bucket - 1][0], bucket => `${MONTHS[bucket - 1]} ${year}`, [['share_pct', showPercent], ['cases_per_day', showRate]]);
  drawYears('slots', 'slot', D.slots, p, S, bucket => bucket.split('-').map(Number).join('–'), 'Hours of the day');
  drawYears('months', 'month_number', D.months, p, S, bucket => MONTHS[bucket - 1], 'Month');
}
/** All years of a place at once: a row a year, a column a bucket. */
function drawYears(id, key, T, p, S, name, what) {
  const B = T.buckets.length, read = (y, b) => T.cases[(p * Y + y) * B + b], place = D.places[p];
  drawHeat(`${id}-heat`, {
    caption: `${what} and year: road accidents, ${place.name}`, corner: 'Year', unit: 'accidents', columns: T.buckets.map(name),
    rows: D.years.map((year, y) => ({ head: `${year}`, attributes: { 'data-year': year, class: y === S.year ? 'chosen' : null },
      cells: T.buckets.map((bucket, b) => ({ value: read(y, b), text: isNumber(read(y, b)) ? whole.format(read(y, b)) : '–', attributes: { 'data-bucket': bucket } })) })),
  });
  RECORDS.set(`${id}-heat`, D.years.flatMap((year, y) => T.buckets.flatMap((bucket, b) => isNumber(read(y, b)) ? [{ ...placeKey(p, year), [key]: bucket, cases: read(y, b) }] : [])));
  asks(`${id}-heat`, [id === 'slots' ? 'traffic_by_hour' : 'traffic_by_month', { state_code: place.code, year: 'all' }]);
}
function drawBuckets(id, key, how, T, p, S, name, brief, full, extra) {
  const B = T.buckets.length, read = (column, b) => T[column][(p * Y + S.year) * B + b];
  const values = T.buckets.map((_, b) => read('cases', b)), sub = `${$('traffic-sub').textContent} ${how}`;
  $(`${id}-table`).caption.textContent = sub;
  fillTable(`${id}-table`, T.buckets.map((bucket, b) => ({ key: { ...placeKey(p, D.years[S.year]), [key]: bucket }, ...isNumber(values[b]) ? {} : { records: [] }, attributes: { 'data-bucket': bucket },
    cells: [{ head: true, text: full(bucket) }, number('cases', values[b], showCases(values[b])), ...extra.map(([column, show]) => number(column, read(column, b), show(read(column, b))))] })));
  asks(`${id}-table`, [id === 'slots' ? 'traffic_by_hour' : 'traffic_by_month', { state_code: D.places[p].code, year: `${D.years[S.year]}` }]);
  if (!values.some(isNumber)) { paint($(`${id}-chart`), () => element('p', { class: 'empty' }, 'No figure for this place and year.')); return; }
  const tips = T.buckets.map((bucket, b) => [full(bucket), `${showCases(values[b])} accidents`, `${showPercent(read('share_pct', b))} of the year's`]);
  columnChart($(`${id}-chart`), { label: `Column chart: ${sub}. Its numbers follow as a table.`, values, tips, show: whole.format, names: T.buckets.map(name), brief: T.buckets.map(brief) });
}


/** FIRs of the stream as they stood when the page was built; without a history the page says why. */
function drawFirs() {
  const F = D.firs;
  if (!F) return;
  const total = F.firs_by_group.reduce((sum, row) => sum + row.firs, 0);
  const asked = F.asked_at ? new Intl.DateTimeFormat('en-IN', { dateStyle: 'long', timeStyle: 'short', timeZone: 'Asia/Kolkata' }).format(new Date(F.asked_at)) : '';
  $('firs-sub').textContent = `${whole.format(total)} FIRs in the history of the stream${asked ? ` on ${asked}, Indian time` : ''}`;
  const label = code => D.groups[groupAt.get(code)]?.label ?? `${code[0].toUpperCase()}${code.slice(1).replaceAll('_', ' ')}`;
  const place = code => D.places[placeAt.get(code)]?.name ?? code;
  fillTable('firs-table', [...F.firs_by_group].sort((a, b) => b.firs - a.firs || a.state_code.localeCompare(b.state_code)).map(row => ({
    key: { state_code: row.state_code, crime_group: row.crime_group, law: row.law },
    attributes: { 'data-fir': `${row.state_code}/${row.crime_group}/${row.law}` },
    cells: [{ head: true, text: place(row.state_code) }, { text: label(row.crime_group) }, { text: row.law }, number('firs', row.firs, whole.format(row.firs))] })));
  asks('firs-table', ['firs_by_group', { state_code: 'all', since: 'all' }]);
  const count = new Map(F.firs_by_hour_and_month.map(row => [`${row.hour_of_day}/${row.month_number}`, row.firs]));
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  drawHeat('firs-heat', {
    caption: 'Hour of the day and month of the offence: FIRs, all states', corner: 'Hour', unit: 'FIRs', columns: MONTHS,
    rows: hours.map(hour => ({ head: `${String(hour).padStart(2, '0')}–${String(hour + 1).padStart(2, '0')}`, attributes: { 'data-hour': hour },
      cells: MONTHS.map((_, m) => { const value = count.get(`${hour}/${m + 1}`) ?? null; return { value, text: isNumber(value) ? whole.format(value) : '', attributes: { 'data-month': m + 1 } }; }) })),
  });
  RECORDS.set('firs-heat', F.firs_by_hour_and_month);
  asks('firs-heat', ['firs_by_hour_and_month', { state_code: 'all', crime_group: 'all', since: 'all' }]);
}
