"""Functions of Athena: those that are translated, and those that are known and refused by name.

The names are those of Trino's documentation, which Athena's engine version 3 refers to.
"""

from __future__ import annotations

from sqlglot import exp

from crime_jobs.adhoc._refused import SqlWrong, Unsupported, place

#: Translated, by sqlglot or by `crime_jobs.adhoc._rewriting`.
SUPPORTED = frozenset(
    """
    abs acos all_match any_match any_value approx_distinct approx_percentile arbitrary array_agg
    array_distinct array_except array_intersect array_join array_max array_min array_position
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bitwise_and
    bitwise_or bitwise_xor bool_and bool_or cardinality cast cbrt ceil ceiling chr coalesce codepoint
    concat concat_ws contains corr cos count count_if covar_pop covar_samp cume_dist current_date
    current_timestamp date date_add date_diff date_format date_parse date_trunc day day_of_month
    day_of_week day_of_year degrees dense_rank dow doy e element_at every exists exp extract filter
    first_value flatten floor format_datetime from_iso8601_date from_iso8601_timestamp from_unixtime
    from_utf8 greatest grouping histogram hour if infinity is_finite is_infinite is_nan
    json_array_length json_extract json_extract_scalar json_format json_parse json_size lag
    last_day_of_month last_value lead least length levenshtein_distance listagg ln localtimestamp log
    log10 log2 lower lpad ltrim map map_agg map_concat map_from_entries map_keys map_values max max_by
    md5 millisecond min min_by minute mod month nan none_match now nth_value ntile nullif parse_datetime
    percent_rank pi position pow power quarter radians rand random rank reduce regexp_extract
    regexp_extract_all regexp_like regexp_replace regexp_split repeat replace reverse round row
    row_number rpad rtrim second sequence sha256 sign sin slice split split_part sqrt starts_with stddev
    stddev_pop stddev_samp strpos substr substring sum tan to_hex to_iso8601 to_unixtime to_utf8
    transform translate trim truncate try try_cast typeof unnest upper url_decode url_encode var_pop
    var_samp variance week week_of_year year year_of_week yow zip
    """.split()  # noqa: SIM905 - a list of so many reads better as text
)

#: Athena's, with no equal of the same meaning.
KNOWN = frozenset(
    """
    approx_most_frequent approx_set array_frequency array_histogram bar beta_cdf bing_tile
    bitwise_left_shift bitwise_not bitwise_right_shift char2hexint checksum classify color combinations
    convex_hull_agg cosh cosine_similarity crc32 current_timezone empty_approx_set entropy
    evaluate_classifier_predictions format format_number from_base from_base32 from_base64
    from_big_endian_32 from_hex from_iso8601_timestamp_nanos from_unixtime_nanos geometric_mean
    great_circle_distance hamming_distance hash_counts hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512
    human_readable_seconds index inverse_beta_cdf inverse_normal_cdf is_json_scalar json_array
    json_array_contains json_array_get json_exists json_object json_query json_value kurtosis
    learn_classifier line_locate_point luhn_check make_set_digest map_entries map_filter map_union
    map_zip_with merge multimap_agg multimap_from_entries ngrams normal_cdf normalize numeric_histogram
    objectid_timestamp parse_data_size parse_duration parse_presto_data_size qdigest_agg regexp_count
    regexp_position regr_intercept regr_slope render rgb sha1 sha512 shuffle simplify_geometry sinh
    skewness soundex spatial_partitions split_to_map split_to_multimap spooky_hash_v2_32 st_area
    st_asbinary st_astext st_buffer st_centroid st_contains st_distance st_geometryfromtext
    st_intersects st_point st_polygon st_within st_x st_y tanh tdigest_agg timezone_hour timezone_minute
    to_base to_base32 to_base64 to_base64url to_big_endian_32 to_big_endian_64 to_char to_date
    to_geometry to_ieee754_32 to_ieee754_64 to_milliseconds to_timestamp transform_keys transform_values
    trim_array url_extract_fragment url_extract_host url_extract_parameter url_extract_path
    url_extract_port url_extract_protocol url_extract_query uuid value_at_quantile values_at_quantiles
    version width_bucket wilson_interval_lower wilson_interval_upper with_timezone word_stem xxhash64
    zip_with
    """.split()  # noqa: SIM905 - a list of so many reads better as text
)

#: What sqlglot makes of the language's own words: never a call by name.
_WORDS = (exp.Cast, exp.TryCast, exp.Case, exp.If, exp.Exists, exp.Array, exp.And, exp.Or, exp.Xor)


def check_functions(tree: exp.Expr, sql: str) -> None:
    """Refuse calls of functions that Athena does not have, or that are not translated.

    Parameters
    ----------
    tree
        The query.
    sql
        The text that it was parsed from; empty if that is not at hand.

    Raises
    ------
    SqlWrong
        ``FUNCTION_NOT_FOUND``.
    Unsupported
        For a function of Athena's that has no equal.
    """
    for call in tree.find_all(exp.Func):
        name, offset = _written(call, sql)
        if not name or name in SUPPORTED:
            continue
        at = place(sql, offset)
        if name in KNOWN:
            raise Unsupported(f"function {name}", *at)
        raise SqlWrong("FUNCTION_NOT_FOUND", f"Function '{name}' not registered", *at)


def _written(call: exp.Func, sql: str) -> tuple[str, int]:
    """Return a call's name as it was written, and where; nothing for what is no call by name."""
    start = call.meta.get("start")
    if sql and start is not None:
        text = sql[start : call.meta["end"] + 1]
        # a cast by ``::``, an operator: the place is that of something else
        is_name = text.replace("_", "a").isalnum() and sql[call.meta["end"] + 1 :].lstrip()[:1] == "("
        return (text.lower(), start) if is_name else ("", 0)
    if isinstance(call, exp.Anonymous):
        return call.name.lower(), 0
    return "", 0
