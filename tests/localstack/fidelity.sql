-- region count
SELECT level, count(*) AS n, sum(cases) AS cases FROM crime_by_region GROUP BY level ORDER BY level;
-- integer division of bigint
SELECT cases / 7 AS q, cases % 7 AS m, -cases / 7 AS nq, -cases % 7 AS nm FROM crime_by_region WHERE level = 'state' AND year = 2013 AND crime_group = 'theft' ORDER BY state_code LIMIT 10;
-- integer division of int literals
SELECT 7 / 2 AS a, -7 / 2 AS b, 7 % -2 AS c, 1 / 3 AS d;
-- integer with double
SELECT 7 / 2.0 AS a, 7 / 2e0 AS b, CAST(7 AS double) / 2 AS c;
-- decimal arithmetic
SELECT 1.10 + 2.205 AS a, 1.10 * 2.205 AS b, 10.0 / 3 AS c, CAST(10 AS decimal(10,2)) / 3 AS d;
-- decimal rounding
SELECT round(2.5) AS a, round(-2.5) AS b, round(3.14159, 2) AS c, CAST(2.555 AS decimal(10,2)) AS d;
-- double rounding
SELECT round(2.5e0) AS a, round(-2.5e0) AS b, round(0.285e0, 2) AS c, round(1234.5e0, -2) AS d, truncate(2.9e0) AS t;
-- floor and ceil
SELECT floor(-2.5e0) AS a, ceil(-2.5e0) AS b, floor(7) AS c, ceiling(2.1) AS d, sign(-3) AS s, abs(-4.5) AS e;
-- double as text
SELECT CAST(1e0 AS varchar) AS a, CAST(0.1e0 AS varchar) AS b, CAST(1e7 AS varchar) AS c, CAST(123456789.5e0 AS varchar) AS d;
-- small double as text
SELECT CAST(1e-3 AS varchar) AS a, CAST(1.5e-7 AS varchar) AS b;
-- rate as text
SELECT state_code, CAST(rate_per_lakh AS varchar) AS t FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'all_ipc' ORDER BY state_code;
-- double to integer
SELECT CAST(2.5e0 AS integer) AS a, CAST(3.5e0 AS integer) AS b, CAST(-2.5e0 AS bigint) AS c, CAST(2.4 AS integer) AS d;
-- text to number
SELECT CAST('12' AS integer) AS a, CAST('-1.5' AS double) AS b, CAST('1.25' AS decimal(5,2)) AS c;
-- try_cast
SELECT try_cast('x' AS integer) AS a, try_cast('5' AS integer) AS b, try_cast('' AS integer) AS c, try_cast('1.5' AS integer) AS d;
-- try_cast with blanks
SELECT try_cast(' 5' AS integer) AS a;
-- boolean as text
SELECT CAST(true AS varchar) AS a, CAST('false' AS boolean) AS b, CAST(1 AS boolean) AS c;
-- date as text
SELECT CAST(DATE '2013-02-03' AS varchar) AS a, CAST('2013-02-03' AS date) AS b;
-- timestamp as text
SELECT CAST(TIMESTAMP '2013-02-03 04:05:06' AS varchar) AS a, CAST(TIMESTAMP '2013-02-03 04:05:06.120' AS varchar) AS b;
-- bad cast
SELECT CAST('x' AS integer) AS a;
-- division by zero
SELECT 1 / 0 AS a;
-- double division by zero
SELECT 1e0 / 0 AS a, -1e0 / 0 AS b;
-- integer overflow
SELECT CAST(2147483647 AS integer) + CAST(1 AS integer) AS a;
-- null ordering ascending
SELECT state_code, rate_per_lakh FROM crime_by_region WHERE level = 'state' AND year = 2014 AND crime_group = 'theft' ORDER BY rate_per_lakh, state_code;
-- null ordering descending
SELECT state_code, rate_per_lakh FROM crime_by_region WHERE level = 'state' AND year = 2014 AND crime_group = 'theft' ORDER BY rate_per_lakh DESC, state_code;
-- nulls first
SELECT state_code, rate_per_lakh FROM crime_by_region WHERE level = 'state' AND year = 2014 AND crime_group = 'theft' ORDER BY rate_per_lakh DESC NULLS FIRST, state_code LIMIT 5;
-- null logic
SELECT NULL = 1 AS a, NULL IS NULL AS b, NULL OR true AS c, NULL AND false AS d, 1 IN (2, NULL) AS e, 1 NOT IN (1, NULL) AS f, NULL IS DISTINCT FROM 1 AS g;
-- coalesce and nullif
SELECT coalesce(NULL, 2, 3) AS a, nullif(1, 1) AS b, if(1 > 2, 'x') AS c, if(2 > 1, 'y', 'z') AS d;
-- concat with null
SELECT 'a' || NULL AS a, concat('a', 'b', 'c') AS b, concat_ws('-', 'a', NULL, 'b') AS c;
-- greatest with null
SELECT greatest(1, 2, 3) AS a, least(1, NULL, 3) AS b, greatest('a', 'B') AS c;
-- count distinct
SELECT count(*) AS a, count(district) AS b, count(DISTINCT state_code) AS c FROM crime_by_region WHERE year = 2014;
-- approx_distinct of few
SELECT approx_distinct(level) AS a FROM crime_by_region;
-- approx_distinct of many
SELECT approx_distinct(district) AS a FROM crime_by_region;
-- approx_percentile
SELECT approx_percentile(cases, 0.5) AS a, approx_percentile(cases, ARRAY[0.25, 0.75]) AS b FROM crime_by_region WHERE level = 'state' AND year = 2013;
-- avg of integers
SELECT avg(year) AS a, avg(cases) AS b, sum(year) AS c FROM crime_by_region WHERE level = 'state' AND crime_group = 'theft';
-- sum of doubles
SELECT round(sum(rate_per_lakh), 6) AS a, round(avg(rate_per_lakh), 6) AS b FROM crime_by_region WHERE level = 'state' AND year = 2012;
-- stddev and variance
SELECT round(stddev(cases), 4) AS a, round(stddev_pop(cases), 4) AS b, round(variance(cases), 3) AS c, round(var_pop(cases), 3) AS d FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft';
-- stddev of one row
SELECT stddev(x) AS a, stddev_pop(x) AS b, variance(x) AS c FROM (VALUES 1) AS t(x);
-- correlation
SELECT round(corr(cases, population), 6) AS a, round(covar_pop(cases, population), 1) AS b FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft';
-- min_by and max_by
SELECT max_by(state, cases) AS a, min_by(state, cases) AS b, max(state) AS c FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'murder';
-- count_if and bool aggregates
SELECT count_if(cases = 0) AS a, bool_and(cases >= 0) AS b, bool_or(cases > 100000) AS c, every(cases >= 0) AS d FROM crime_by_region WHERE year = 2012;
-- filter clause
SELECT count(*) FILTER (WHERE level = 'state') AS a, sum(cases) FILTER (WHERE crime_group = 'theft') AS b FROM crime_by_region WHERE year = 2012;
-- aggregates of nothing
SELECT count(*) AS a, sum(cases) AS b, max(cases) AS c, avg(cases) AS d, array_agg(cases) AS e FROM crime_by_region WHERE year = 1900;
-- array_agg ordered
SELECT array_agg(state_code ORDER BY state_code) AS a FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft';
-- listagg
SELECT listagg(state_code, ',') WITHIN GROUP (ORDER BY state_code) AS a FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft';
-- histogram
SELECT histogram(magnitude) AS a FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft';
-- map_agg
SELECT map_agg(state_code, cases) AS a FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft' AND state_code < 'IN-C';
-- rollup
SELECT level, magnitude, count(*) AS n FROM crime_by_region WHERE year = 2012 AND crime_group = 'theft' GROUP BY ROLLUP (level, magnitude) ORDER BY level, magnitude, n;
-- cube
SELECT level, magnitude, count(*) AS n FROM crime_by_region WHERE year = 2012 AND crime_group = 'theft' GROUP BY CUBE (level, magnitude) ORDER BY 1, 2, 3;
-- grouping sets
SELECT level, year, sum(cases) AS n, grouping(level, year) AS g FROM crime_by_region WHERE crime_group = 'theft' AND year > 2012 GROUP BY GROUPING SETS ((level), (year), ()) ORDER BY 4, 1, 2;
-- having
SELECT state_code, sum(cases) AS n FROM crime_by_region WHERE level = 'district' AND year = 2014 AND crime_group = 'theft' GROUP BY state_code HAVING sum(cases) > 10000 ORDER BY n DESC;
-- group by ordinal
SELECT upper(level), count(*) FROM crime_by_region GROUP BY 1 ORDER BY 1;
-- rank functions
SELECT state_code, rank() OVER (ORDER BY magnitude) AS r, dense_rank() OVER (ORDER BY magnitude) AS d, row_number() OVER (ORDER BY magnitude, state_code) AS n FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'murder' ORDER BY n;
-- percent_rank and cume_dist
SELECT state_code, percent_rank() OVER (ORDER BY cases) AS p, cume_dist() OVER (ORDER BY cases) AS c, ntile(4) OVER (ORDER BY cases, state_code) AS q FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'murder' ORDER BY cases, state_code;
-- lag and lead
SELECT year, cases, lag(cases) OVER (ORDER BY year) AS l, lead(cases, 2, 0) OVER (ORDER BY year) AS e FROM crime_by_period WHERE state_code = 'IN-TN' AND crime_group = 'theft' ORDER BY year;
-- first and last value
SELECT year, first_value(cases) OVER (ORDER BY year) AS f, last_value(cases) OVER (ORDER BY year) AS l, nth_value(cases, 2) OVER (ORDER BY year) AS n FROM crime_by_period WHERE state_code = 'IN-TN' AND crime_group = 'theft' ORDER BY year;
-- moving average
SELECT year, avg(cases) OVER (ORDER BY year ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS m, sum(cases) OVER (ORDER BY year RANGE UNBOUNDED PRECEDING) AS s FROM crime_by_period WHERE state_code = 'IN-TN' AND crime_group = 'theft' ORDER BY year;
-- window null ordering
SELECT state_code, rank() OVER (ORDER BY rate_per_lakh) AS r FROM crime_by_region WHERE level = 'state' AND year = 2014 AND crime_group = 'theft' ORDER BY r, state_code;
-- inner join
SELECT a.state_code, a.cases, w.cases AS women FROM crime_by_region a JOIN crimes_against_women w ON w.state_code = a.state_code AND w.year = a.year WHERE a.level = 'state' AND a.crime_group = 'all_ipc' AND w.women_group = 'core_seven' AND a.year = 2012 ORDER BY 1;
-- left join
SELECT s.state_code, p.population FROM (SELECT DISTINCT state_code FROM crime_by_region WHERE level = 'state' AND year = 2014) s LEFT JOIN population_by_year p ON p.state_code = s.state_code AND p.year = 2014 AND p.level = 'state' ORDER BY 1;
-- full join with using
SELECT state_code, a.n, b.m FROM (VALUES ('IN-TN', 1), ('IN-KL', 2)) AS a(state_code, n) FULL JOIN (VALUES ('IN-KL', 3), ('IN-AP', 4)) AS b(state_code, m) USING (state_code) ORDER BY state_code;
-- cross join
SELECT a, b FROM (VALUES 1, 2) AS x(a) CROSS JOIN (VALUES 'u', 'v') AS y(b) ORDER BY 1, 2;
-- semi join
SELECT count(*) AS n FROM crime_by_region WHERE state_code IN (SELECT state_code FROM hot_spots WHERE year = 2014) AND level = 'state';
-- correlated exists
SELECT count(*) AS n FROM crime_by_period p WHERE EXISTS (SELECT 1 FROM hot_spots h WHERE h.state_code = p.state_code AND h.year = p.year);
-- scalar subquery
SELECT year, cases, cases > (SELECT avg(cases) FROM crime_by_period WHERE state_code = 'IN' AND crime_group = 'theft') AS above FROM crime_by_period WHERE state_code = 'IN' AND crime_group = 'theft' ORDER BY year;
-- union and union all
SELECT 1 AS a UNION SELECT 1 UNION ALL SELECT 2 ORDER BY 1;
-- except and intersect
SELECT * FROM (VALUES 1, 2, 3) EXCEPT SELECT * FROM (VALUES 2) ORDER BY 1;
-- intersect
SELECT * FROM (VALUES 1, 2, 3) INTERSECT SELECT * FROM (VALUES 2, 3) ORDER BY 1;
-- recursive query
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t ORDER BY n;
-- limit and offset
SELECT state_code FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft' ORDER BY state_code OFFSET 3 LIMIT 4;
-- fetch first with ties
SELECT magnitude FROM crime_by_region WHERE level = 'state' AND year = 2012 AND crime_group = 'theft' ORDER BY magnitude FETCH FIRST 2 ROWS WITH TIES;
-- unnest array
SELECT x FROM UNNEST(ARRAY[3, 1, 2]) AS t(x) ORDER BY x;
-- unnest with ordinality
SELECT x, n FROM UNNEST(ARRAY['b', 'a']) WITH ORDINALITY AS t(x, n) ORDER BY n;
-- unnest of a column
SELECT g, x FROM (VALUES ('a', ARRAY[1, 2]), ('b', ARRAY[3])) AS t(g, xs) CROSS JOIN UNNEST(xs) AS u(x) ORDER BY 1, 2;
-- unnest map
SELECT k, v FROM UNNEST(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS t(k, v) ORDER BY k;
-- unnest two arrays
SELECT a, b FROM UNNEST(ARRAY[1, 2, 3], ARRAY['x', 'y']) AS t(a, b) ORDER BY a;
-- sequence
SELECT sequence(1, 5) AS a, sequence(5, 1, -2) AS b, cardinality(sequence(1, 10, 3)) AS c;
-- sequence of dates
SELECT d FROM UNNEST(sequence(DATE '2013-01-30', DATE '2013-02-02', INTERVAL '1' DAY)) AS t(d) ORDER BY d;
-- arrays
SELECT cardinality(ARRAY[1, 2]) AS a, element_at(ARRAY[1, 2], 3) AS b, element_at(ARRAY[1, 2], -1) AS c, ARRAY[5, 6][1] AS d, contains(ARRAY[1, 2], 2) AS e, array_position(ARRAY['x', 'y'], 'y') AS f;
-- array subscript beyond
SELECT ARRAY[1, 2][3] AS a;
-- array functions
SELECT array_distinct(ARRAY[1, 1, 2]) AS a, array_sort(ARRAY[3, 1, 2]) AS b, array_max(ARRAY[1, 5]) AS c, array_join(ARRAY['a', NULL, 'b'], '-') AS d, slice(ARRAY[1, 2, 3, 4], 2, 2) AS e, reverse(ARRAY[1, 2]) AS f;
-- array sort with null
SELECT array_sort(ARRAY[3, NULL, 1]) AS a, array_min(ARRAY[3, NULL, 1]) AS b;
-- lambdas
SELECT transform(ARRAY[1, 2], x -> x * 2) AS a, filter(ARRAY[1, 2, 3], x -> x > 1) AS b, reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s) AS c, any_match(ARRAY[1], x -> x > 0) AS d;
-- maps
SELECT element_at(MAP(ARRAY['a'], ARRAY[1]), 'z') AS a, MAP(ARRAY['a'], ARRAY[1])['a'] AS b, map_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2])) AS c, cardinality(MAP(ARRAY['a'], ARRAY[1])) AS d;
-- map subscript missing
SELECT MAP(ARRAY['a'], ARRAY[1])['z'] AS a;
-- rows
SELECT CAST(ROW(1, 'x') AS ROW(a integer, b varchar)).b AS b;
-- text length and case
SELECT length('नमस्ते') AS a, upper('straße') AS b, lower('ÀB') AS c, reverse('abc') AS d, length('') AS e;
-- substring
SELECT substr('abcdef', 2, 3) AS a, substr('abcdef', -2) AS b, substring('abcdef', 0, 2) AS c, substr('abc', 5) AS d, substring('abcdef' FROM 2 FOR 2) AS e;
-- position and replace
SELECT strpos('banana', 'na') AS a, position('z' IN 'abc') AS b, replace('banana', 'na', 'x') AS c, replace('abc', 'b') AS d, translate('abc', 'ab', 'xy') AS e;
-- split
SELECT split('a,b,,c', ',') AS a, split_part('a,b,c', ',', 2) AS b, split_part('a', ',', 5) AS c, split('a-b-c', '-', 2) AS d;
-- pad and trim
SELECT lpad('7', 3, '0') AS a, rpad('ab', 5, 'xy') AS b, lpad('abcdef', 3, ' ') AS c, trim('  a ') AS d, ltrim('  a') || '|' AS e, rtrim('a  ') || '|' AS f;
-- trim of characters
SELECT trim(BOTH 'x' FROM 'xxaxx') AS a, trim(LEADING 'x' FROM 'xxaxx') AS b;
-- like
SELECT 'a_b' LIKE 'a\_b' ESCAPE '\' AS a, 'axb' LIKE 'a_b' AS b, 'ABC' LIKE 'abc' AS c, 'a%b' LIKE 'a%' AS d, starts_with('abc', 'ab') AS e;
-- regexp_like
SELECT regexp_like('IN-TN', '^IN-[A-Z]+$') AS a, regexp_like('abc', 'b') AS b, regexp_like('ABC', '(?i)abc') AS c;
-- regexp_extract
SELECT regexp_extract('crime 2013', '\d+') AS a, regexp_extract('a-1', '(\w)-(\d)', 2) AS b, regexp_extract('x', '\d') AS c, regexp_extract_all('a1b22', '\d+') AS d;
-- regexp_replace
SELECT regexp_replace('a1b2', '\d', 'x') AS a, regexp_replace('2013-02', '(\d+)-(\d+)', '$2/$1') AS b, regexp_replace('abc', 'b') AS c, regexp_split('a1b2c', '\d') AS d;
-- code points
SELECT chr(65) AS a, codepoint('A') AS b, to_hex(to_utf8('a')) AS c, from_utf8(to_utf8('ä')) AS d;
-- hashes
SELECT to_hex(md5(to_utf8('a'))) AS a, to_hex(sha256(to_utf8('a'))) AS b;
-- distance
SELECT levenshtein_distance('kitten', 'sitting') AS a;
-- format
SELECT format('%s has %,d', 'x', 1234) AS a;
-- urls
SELECT url_encode('a b&c') AS a, url_decode('a%20b') AS b, url_extract_host('https://x.in/y') AS c;
-- text comparison
SELECT 'a' < 'B' AS a, 'abc' = 'abc ' AS b, 'Z' < 'a' AS c;
-- text order
SELECT x FROM (VALUES 'b', 'A', 'a', 'B', 'ä', '_') AS t(x) ORDER BY x;
-- date parts
SELECT year(d) AS a, month(d) AS b, day(d) AS c, quarter(d) AS q, day_of_week(d) AS w, day_of_year(d) AS y, week(d) AS k, year_of_week(d) AS z FROM (VALUES DATE '2014-12-31', DATE '2017-01-01') AS t(d) ORDER BY 1;
-- extract
SELECT extract(YEAR FROM DATE '2013-02-03') AS a, extract(DOW FROM DATE '2013-02-03') AS b, extract(HOUR FROM TIMESTAMP '2013-02-03 04:05:06') AS c, extract(WEEK FROM DATE '2013-12-31') AS d;
-- date arithmetic
SELECT DATE '2013-01-31' + INTERVAL '1' MONTH AS a, date_add('day', 5, DATE '2013-02-26') AS b, date_diff('day', DATE '2013-01-01', DATE '2013-03-01') AS c, DATE '2013-03-01' - INTERVAL '1' DAY AS d;
-- date_diff by months
SELECT date_diff('month', DATE '2013-01-31', DATE '2013-02-28') AS a, date_diff('year', DATE '2012-06-01', DATE '2013-05-31') AS b, date_diff('week', DATE '2013-01-01', DATE '2013-01-14') AS c, date_diff('hour', TIMESTAMP '2013-01-01 00:30:00', TIMESTAMP '2013-01-01 02:00:00') AS d;
-- date_add by months
SELECT date_add('month', 1, DATE '2013-01-31') AS a, date_add('quarter', -1, DATE '2013-05-31') AS b, date_add('hour', 25, TIMESTAMP '2013-01-01 00:00:00') AS c;
-- date_trunc
SELECT date_trunc('month', DATE '2013-02-17') AS a, date_trunc('week', DATE '2013-02-17') AS b, date_trunc('hour', TIMESTAMP '2013-02-03 04:05:06') AS c, last_day_of_month(DATE '2012-02-10') AS d;
-- date_format
SELECT date_format(TIMESTAMP '2013-02-03 14:05:06', '%Y-%m-%d %H:%i:%s') AS a, date_format(DATE '2013-02-03', '%b %e, %W %M') AS b, date_format(TIMESTAMP '2013-02-03 14:05:06', '%h:%i %p %j') AS c;
-- date_parse
SELECT date_parse('2013-02-03', '%Y-%m-%d') AS a, date_parse('03/02/13 14:05', '%d/%m/%y %H:%i') AS b;
-- date_parse of something else
SELECT date_parse('yesterday', '%Y-%m-%d') AS a;
-- format_datetime
SELECT format_datetime(TIMESTAMP '2013-02-03 14:05:06', 'yyyy/MM/dd HH:mm') AS a;
-- iso dates
SELECT from_iso8601_date('2013-02-03') AS a, to_iso8601(DATE '2013-02-03') AS b, date('2013-02-03') AS c;
-- unix time
SELECT to_unixtime(TIMESTAMP '2013-02-03 00:00:00') AS a, CAST(from_unixtime(1359849600) AS date) AS b;
-- from_unixtime
SELECT from_unixtime(1359849600) AS a;
-- time zones
SELECT TIMESTAMP '2013-02-03 00:00:00 UTC' AT TIME ZONE 'Asia/Kolkata' AS a;
-- intervals
SELECT DATE '2013-03-01' - DATE '2013-02-01' AS a;
-- interval between timestamps
SELECT TIMESTAMP '2013-03-01 10:00:00' - TIMESTAMP '2013-03-01 08:30:00' AS a;
-- case
SELECT CASE WHEN cases > 100000 THEN 'many' WHEN cases > 1000 THEN 'some' ELSE 'few' END AS c, count(*) AS n FROM crime_by_region WHERE level = 'state' GROUP BY 1 ORDER BY 1;
-- simple case
SELECT CASE level WHEN 'state' THEN 1 WHEN 'district' THEN 2 END AS c, count(*) AS n FROM crime_by_region GROUP BY 1 ORDER BY 1;
-- between
SELECT count(*) AS n FROM crime_by_region WHERE cases BETWEEN 10 AND 20 AND year NOT BETWEEN 2002 AND 2013;
-- distinct on two
SELECT DISTINCT level, year FROM traffic_by_month ORDER BY 1, 2;
-- values
SELECT * FROM (VALUES (1, 'a', 1.5), (2, NULL, 2.25)) AS t(a, b, c) ORDER BY a;
-- quoted names
SELECT cases AS "Cases of it", "year" FROM crime_by_period WHERE state_code = 'IN' AND crime_group = 'theft' ORDER BY "year";
-- duplicate names
SELECT 1 AS a, 2 AS a;
-- unnamed columns
SELECT 1, 'x', count(*) FROM crime_by_period;
-- names in capitals
SELECT Cases AS CASES FROM CRIME_BY_PERIOD WHERE state_code = 'IN' AND year = 2013 AND crime_group = 'theft';
-- quote in a literal
SELECT 'it''s' AS a, 'a"b' AS b, U&'\0041' AS c;
-- typeof
SELECT typeof(1) AS a, typeof(1e0) AS b, typeof('x') AS c, typeof(DATE '2013-01-01') AS d, typeof(1.5) AS e;
-- math
SELECT power(2, 10) AS a, sqrt(2) AS b, exp(1) AS c, ln(10) AS d, log10(1000) AS e, log2(8) AS f, log(2, 8) AS g, mod(7, 3) AS h, cbrt(27) AS i;
-- nan
SELECT is_nan(nan()) AS a, nan() = nan() AS b, infinity() > 1e300 AS c, is_finite(1e0) AS d;
-- sqrt of a negative
SELECT sqrt(-1) AS a;
-- bits
SELECT bitwise_and(12, 10) AS a, bitwise_or(12, 10) AS b, bitwise_xor(12, 10) AS c;
-- try
SELECT try(1 / 0) AS a, try(CAST('x' AS integer)) AS b;
-- json
SELECT json_extract_scalar('{"a": {"b": 2}}', '$.a.b') AS a, json_array_length('[1, 2]') AS b, json_format(json_parse('{"a": 1}')) AS c, json_size('{"a": 1, "b": 2}', '$') AS d;
-- json missing
SELECT json_extract_scalar('{"a": 1}', '$.z') AS a, json_extract('{"a": [1, 2]}', '$.a') AS b;
-- cast to json
SELECT json_format(CAST(MAP(ARRAY['a'], ARRAY[1]) AS json)) AS a;
-- no such function
SELECT strlen('x') AS a;
-- no such column
SELECT nope FROM crime_by_period;
-- no such table
SELECT 1 AS a FROM nosuch;
-- text compared with number
SELECT count(*) AS n FROM crime_by_period WHERE year = '2013';
-- text added to number
SELECT 1 + '1' AS a;
-- group by missing
SELECT level, year, count(*) AS n FROM traffic_by_month GROUP BY level;
-- two statements' keywords
SELECT 1 AS a FROM crime_by_period WHERE;
-- subquery with more rows
SELECT (SELECT year FROM traffic_by_month) AS a;
-- width_bucket
SELECT width_bucket(3.5e0, 0e0, 10e0, 5) AS a;
-- pivot by hand
SELECT state_code, max(cases) FILTER (WHERE year = 2012) AS y2012, max(cases) FILTER (WHERE year = 2013) AS y2013 FROM crime_by_period WHERE crime_group = 'theft' AND level = 'state' GROUP BY state_code ORDER BY state_code;
-- data quality
SELECT status, count(*) AS n FROM data_quality GROUP BY status ORDER BY status;
-- facts by partition
SELECT year, sum(cases) AS n FROM crime_facts WHERE year BETWEEN 2010 AND 2012 GROUP BY year ORDER BY year;
-- group heads
SELECT fact_table, crime_group, count(*) AS n FROM crime_group_heads GROUP BY 1, 2 ORDER BY 1, 2;
-- double as text at its ends
SELECT CAST(0e0 AS varchar) AS a, CAST(-0e0 AS varchar) AS b, CAST(infinity() AS varchar) AS c, CAST(nan() AS varchar) AS d, CAST(1e0 / 3 AS varchar) AS e, CAST(1.25e20 AS varchar) AS f, CAST(-1e23 AS varchar) AS g;
-- real as text
SELECT CAST(CAST(0.1e0 AS real) AS varchar) AS a, CAST(CAST(1.5e10 AS real) AS varchar) AS b;
-- nan compared
SELECT nan() <> nan() AS a, nan() > 1 AS b, nan() >= nan() AS c, 1 < nan() AS d, nan() < 1 AS e;
-- array functions keep order
SELECT array_distinct(ARRAY[3, 1, 3, NULL, 2]) AS a, array_union(ARRAY[3, 1], ARRAY[2, 1]) AS b, array_except(ARRAY[3, 1, 3, 2], ARRAY[1]) AS c, array_intersect(ARRAY[3, 1, 2], ARRAY[2, 3]) AS d;
-- sequence down
SELECT sequence(3, 1) AS a, sequence(DATE '2013-02-01', DATE '2013-01-30') AS b;
-- substring before the text
SELECT substr('abc', -5) AS a, substr('abc', 2, -1) AS b, substr('abc', 0) AS c;
-- regexp_extract group that is missing
SELECT regexp_extract('x', '(x)(y)?', 2) AS a;
-- regexp_replace escaped
SELECT regexp_replace('a1', '\d', '\$1') AS a, regexp_replace('ab', '(a)(b)', '$2$0') AS b;
-- cast of text that is no whole number
SELECT CAST('1.5' AS integer) AS a;
-- json_size
SELECT json_size('[1, 2]', '$') AS a, json_size('{"a": 1}', '$.a') AS b, json_size('{}', '$.z') AS c;
