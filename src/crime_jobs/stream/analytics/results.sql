INSERT INTO counts
SELECT
    'minute', DATE_FORMAT(window_start, '${moment}'), DATE_FORMAT(window_end, '${moment}'),
    state_code, district, crime_group, firs, against_women, out_of_order,
    CAST(NULL AS DOUBLE), CAST(NULL AS STRING)
FROM minutes;

INSERT INTO counts
SELECT
    'surge', DATE_FORMAT(window_start, '${moment}'), DATE_FORMAT(window_end, '${moment}'),
    state_code, district, crime_group, firs, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),
    expected, CAST(NULL AS STRING)
FROM surges;

INSERT INTO counts
SELECT
    'women', DATE_FORMAT(window_start, '${moment}'), DATE_FORMAT(window_end, '${moment}'),
    state_code, district, 'against_women', firs, firs, CAST(NULL AS BIGINT),
    CAST(NULL AS DOUBLE), CAST(NULL AS STRING)
FROM women;

INSERT INTO counts
SELECT
    'late', DATE_FORMAT(event_minute, '${moment}'), DATE_FORMAT(event_minute + INTERVAL '1' MINUTE, '${moment}'),
    state_code, district, crime_group, CAST(1 AS BIGINT), CAST(against_women AS BIGINT), CAST(NULL AS BIGINT),
    CAST(NULL AS DOUBLE), fir_key
FROM timed_firs
WHERE late;
