-- What a new database gets, in PostgreSQL's words.
CREATE SCHEMA IF NOT EXISTS redshift_system;
GRANT USAGE ON SCHEMA redshift_system TO PUBLIC;
GRANT ALL ON SCHEMA public TO PUBLIC;
ALTER ROLE awsuser SET search_path = "$user", public, redshift_system;
CREATE SEQUENCE IF NOT EXISTS redshift_system.queries START 1000;
GRANT USAGE ON SEQUENCE redshift_system.queries TO PUBLIC;
CREATE TABLE IF NOT EXISTS redshift_system.keys (
    schema_name text, table_name text, diststyle text, distkey text, sortkeys text[],
    PRIMARY KEY (schema_name, table_name)
);
GRANT ALL ON redshift_system.keys TO PUBLIC;
CREATE TABLE IF NOT EXISTS redshift_system.stl_load_errors (
    userid int, slice int, tbl oid, starttime timestamp, session int, query bigint, filename text,
    line_number bigint, colname text, type text, col_length text, position int, raw_line text,
    raw_field_value text, err_code int, err_reason text, is_partial int DEFAULT 0, start_offset bigint DEFAULT 0
);
GRANT SELECT ON redshift_system.stl_load_errors TO PUBLIC;
CREATE OR REPLACE VIEW redshift_system.sys_load_error_detail AS
    SELECT userid AS user_id, query AS query_id, session AS session_id, current_database()::text AS database_name,
        tbl::bigint AS table_id, starttime AS start_time, filename AS file_name, line_number,
        colname AS column_name, type AS column_type, col_length AS column_length, position,
        err_code AS error_code, err_reason AS error_message
    FROM redshift_system.stl_load_errors;
GRANT SELECT ON redshift_system.sys_load_error_detail TO PUBLIC;
CREATE OR REPLACE VIEW redshift_system.svv_table_info AS
    SELECT current_database()::text AS database, n.nspname::text AS schema, c.oid::bigint AS table_id,
        c.relname::text AS "table", 'Y'::text AS encoded,
        coalesce(CASE WHEN k.distkey IS NULL THEN k.diststyle ELSE 'KEY(' || k.distkey || ')' END, 'AUTO(ALL)')
            AS diststyle,
        coalesce(k.sortkeys[1], 'AUTO(SORTKEY)') AS sortkey1, coalesce(cardinality(k.sortkeys), 0) AS sortkey_num,
        pg_relation_size(c.oid) / 1048576 AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN redshift_system.keys k ON k.schema_name = n.nspname AND k.table_name = c.relname
    WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('redshift_system', 'information_schema');
GRANT SELECT ON redshift_system.svv_table_info TO PUBLIC;
CREATE OR REPLACE VIEW redshift_system.pg_table_def AS
    SELECT n.nspname::text AS schemaname, c.relname::text AS tablename, a.attname::text AS "column",
        format_type(a.atttypid, a.atttypmod) AS type, 'none'::text AS encoding,
        coalesce(k.distkey = a.attname, false) AS distkey,
        coalesce(array_position(k.sortkeys, a.attname::text), 0) AS sortkey, a.attnotnull AS "notnull"
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN redshift_system.keys k ON k.schema_name = n.nspname AND k.table_name = c.relname
    WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        AND n.nspname = ANY (current_schemas(false)) AND n.nspname <> 'redshift_system';
GRANT SELECT ON redshift_system.pg_table_def TO PUBLIC;
CREATE OR REPLACE FUNCTION redshift_system.pg_last_copy_count() RETURNS bigint LANGUAGE sql AS
    $$ SELECT coalesce(nullif(current_setting('redshift.copy_count', true), ''), '0')::bigint $$;
CREATE OR REPLACE FUNCTION redshift_system.pg_last_copy_id() RETURNS bigint LANGUAGE sql AS
    $$ SELECT coalesce(nullif(current_setting('redshift.copy_id', true), ''), '-1')::bigint $$;
CREATE OR REPLACE FUNCTION redshift_system.getdate() RETURNS timestamp LANGUAGE sql AS
    $$ SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC') $$;
