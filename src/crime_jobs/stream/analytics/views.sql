-- Each FIR once, as it came first. A later one of the same key is the same FIR again, or one that the consumer
-- refuses; neither counts.
CREATE TEMPORARY VIEW distinct_firs AS
SELECT fir_key, state_code, district, crime_group, against_women, event_time
FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY fir_key ORDER BY processed_at) AS turn
    FROM firs
    WHERE schema_version = 1
        AND fir_key IS NOT NULL
        AND state_code IS NOT NULL
        AND district IS NOT NULL
        AND crime_group IS NOT NULL
        AND against_women IS NOT NULL
        AND reported_at IS NOT NULL
)
WHERE turn = 1;

-- late: its minute was already closed, so no window takes it; each is told by itself. out_of_order: another one of
-- a later time came before it, but not too long before.
CREATE TEMPORARY VIEW timed_firs AS
SELECT
    *,
    `watermark` IS NOT NULL AND event_minute + INTERVAL '59.999' SECOND <= CAST(`watermark` AS TIMESTAMP(3)) AS late,
    `watermark` IS NOT NULL AND event_time < `watermark` + INTERVAL '2' MINUTE AS out_of_order
FROM (
    SELECT
        *,
        FLOOR(CAST(event_time AS TIMESTAMP(3)) TO MINUTE) AS event_minute,
        CURRENT_WATERMARK(event_time) AS `watermark`
    FROM distinct_firs
);

CREATE TEMPORARY VIEW timely_firs AS
SELECT * FROM timed_firs WHERE NOT late;

-- FIRs a minute, by district and group.
CREATE TEMPORARY VIEW minutes AS
SELECT
    window_start, window_end, state_code, district, crime_group,
    COUNT(*) AS firs,
    COUNT(*) FILTER (WHERE against_women) AS against_women,
    COUNT(*) FILTER (WHERE out_of_order) AS out_of_order
FROM TABLE(TUMBLE(TABLE timely_firs, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, state_code, district, crime_group;

-- Districts that have far more FIRs of a group within a quarter of an hour than NCRB's figures let expect: at least
-- six, and four times the expected number. Which districts these are is looked at every five minutes.
CREATE TEMPORARY VIEW quarters AS
SELECT window_start, window_end, state_code, district, crime_group, COUNT(*) AS firs
FROM TABLE(HOP(TABLE timely_firs, DESCRIPTOR(event_time), INTERVAL '5' MINUTE, INTERVAL '15' MINUTE))
GROUP BY window_start, window_end, state_code, district, crime_group
HAVING COUNT(*) >= 6;

CREATE TEMPORARY VIEW surges AS
SELECT /*+ STATE_TTL('q' = '1h', 'b' = '0s') */
    q.window_start, q.window_end, q.state_code, q.district, q.crime_group, q.firs,
    b.cases_per_year * ${share_of_year} AS expected
FROM quarters AS q
INNER JOIN baseline AS b
    ON q.state_code = b.state_code AND q.district = b.district AND q.crime_group = b.crime_group
WHERE q.firs >= 4 * b.cases_per_year * ${share_of_year};

-- Crimes against women of the last hour by district, every five minutes.
CREATE TEMPORARY VIEW women AS
SELECT window_start, window_end, state_code, district, COUNT(*) AS firs
FROM TABLE(HOP(TABLE timely_firs, DESCRIPTOR(event_time), INTERVAL '5' MINUTE, INTERVAL '1' HOUR))
WHERE against_women
GROUP BY window_start, window_end, state_code, district;
