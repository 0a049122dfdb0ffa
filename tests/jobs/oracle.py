"""An independent computation of facts and marts: DuckDB straight from the landing CSVs.

It shares with the jobs only what places are called and which kind they are. Groups are written out here by the sources' own top
columns, so that neither the head vocabulary, nor its tree, nor any Spark code stands behind these figures.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from crime_jobs.model.places import district_kind, district_name, find_state, is_total

DATA = Path(__file__).resolve().parents[2] / "data"

_VIOLENT = "MURDER|ATTEMPT TO MURDER|CULPABLE HOMICIDE NOT AMOUNTING TO MURDER|RAPE|KIDNAPPING & ABDUCTION"
_VIOLENT += "|DACOITY|PREPARATION AND ASSEMBLY FOR DACOITY|ROBBERY|RIOTS|ARSON|DOWRY DEATHS"
_WOMEN = "DOWRY DEATHS|ASSAULT ON WOMEN WITH INTENT TO OUTRAGE HER MODESTY|INSULT TO MODESTY OF WOMEN"
_WOMEN += "|CRUELTY BY HUSBAND OR HIS RELATIVES|IMPORTATION OF GIRLS FROM FOREIGN COUNTRIES|RAPE"
_BODY = "MURDER|ATTEMPT TO MURDER|CULPABLE HOMICIDE NOT AMOUNTING TO MURDER|KIDNAPPING & ABDUCTION"

#: Crime group to the columns of the files to 2013 and to those of the 2014 file.
GROUPS = {
    "all_ipc": (None, None),  # the leaves' sum, see `crime`
    "violent": (
        _VIOLENT,
        "Murder|Attempt to commit Murder|Culpable Homicide not amounting to Murder|Rape"
        "|Kidnapping & Abduction_Total|Dacoity|Making Preparation and Assembly for committing Dacoity"
        "|Robbery|Riots|Arson|Dowry Deaths",
    ),
    "against_body": (
        f"{_BODY}|HURT/GREVIOUS HURT|CAUSING DEATH BY NEGLIGENCE",
        "Murder|Attempt to commit Murder|Culpable Homicide not amounting to Murder"
        "|Kidnapping & Abduction_Total|Grievous Hurt|Causing Death by Negligence",
    ),
    "property": (
        "DACOITY|PREPARATION AND ASSEMBLY FOR DACOITY|ROBBERY|BURGLARY|THEFT",
        "Dacoity|Making Preparation and Assembly for committing Dacoity|Robbery|Criminal Trespass/Burglary|Theft",
    ),
    "public_order": (
        "RIOTS|ARSON",
        "Riots|Arson|Unlawful Assembly|Offences promoting enmity between different groups",
    ),
    "economic": (
        "CRIMINAL BREACH OF TRUST|CHEATING|COUNTERFIETING",
        "Criminal Breach of Trust|Cheating|Counterfeiting",
    ),
    "against_women": (
        f"{_WOMEN}|KIDNAPPING AND ABDUCTION OF WOMEN AND GIRLS",
        "Rape|Kidnapping & Abduction of Women to compel her for marriage|Dowry Deaths"
        "|Assault on Women with intent to outrage her Modesty|Insult to the Modesty of Women"
        "|Cruelty by Husband or his Relatives|Importation of Girls from Foreign Country",
    ),
    "traffic": ("", "Deaths due to negligent driving/act|Incidence of Rash Driving"),
    "murder": ("MURDER", "Murder"),
    "rape": ("RAPE", "Rape"),
    "kidnapping": ("KIDNAPPING & ABDUCTION", "Kidnapping & Abduction_Total"),
    "robbery": ("ROBBERY", "Robbery"),
    "burglary": ("BURGLARY", "Criminal Trespass/Burglary"),
    "theft": ("THEFT", "Theft"),
    "riots": ("RIOTS", "Riots"),
    "cheating": ("CHEATING", "Cheating"),
    "dowry_death": ("DOWRY DEATHS", "Dowry Deaths"),
    "cruelty_by_husband": (
        "CRUELTY BY HUSBAND OR HIS RELATIVES",
        "Cruelty by Husband or his Relatives",
    ),
    "death_by_negligence": ("CAUSING DEATH BY NEGLIGENCE", "Causing Death by Negligence"),
    "hurt": ("HURT/GREVIOUS HURT", "Grievous Hurt"),
    "other_ipc": ("OTHER IPC CRIMES", "Other IPC crimes"),
}
BROKEN = ("against_body", "against_women", "hurt", "other_ipc", "riots", "traffic", "violent")

_SEVEN = {
    "rape": ("Rape", "Rape"),
    "kidnapping_women_girls": ("Kidnapping and Abduction", "Kidnapping & Abduction_Total"),
    "dowry_death": ("Dowry Deaths", "Dowry Deaths"),
    "assault_on_women": (
        "Assault on women with intent to outrage her modesty",
        "Assault on Women with intent to outrage her Modesty_Total",
    ),
    "insult_to_modesty": ("Insult to modesty of Women", "Insult to the Modesty of Women_Total"),
    "cruelty_by_husband": (
        "Cruelty by Husband or his Relatives",
        "Cruelty by Husband or his Relatives",
    ),
    "importation_of_girls": ("Importation of Girls", "Importation of Girls from Foreign Country"),
}
WOMEN_GROUPS = _SEVEN | {
    "core_seven": tuple("|".join(pair[i] for pair in _SEVEN.values()) for i in (0, 1)),
    "all_in_scope": ("|".join(pair[0] for pair in _SEVEN.values()), "Total Crimes against Women"),
}


def _state_code(text: str) -> str:
    state = find_state(text)
    return state.code if state else ""


def _state_name(text: str) -> str:
    state = find_state(text)
    return state.name if state else ""


def _columns(file: str) -> list[str]:
    import csv

    with (DATA / file).open(encoding="utf-8", newline="") as lines:
        return next(csv.reader(lines))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tall(table: str, file: str, place_columns: int) -> str:
    """SQL that reads one file and turns its measure columns into rows (``c``, ``n``)."""
    columns = _columns(file)
    keys = ", ".join(
        f"{_quoted(name)} AS {alias}"
        for name, alias in zip(columns, ("s", "d", "y") if place_columns == 3 else ("s", "y"), strict=False)
    )
    measures = ", ".join(_quoted(name) for name in columns[place_columns:])
    source = f"read_csv('{DATA / file}', header=true, all_varchar=true)"
    return (
        f"INSERT INTO {table} BY NAME SELECT * FROM (UNPIVOT (SELECT {keys}, {measures} FROM {source}) "
        f"ON {measures} INTO NAME c VALUE n)"
    )


def connect() -> duckdb.DuckDBPyConnection:
    """A connection in which ``raw_*``, ``crime``, ``women`` and every mart exist as tables."""
    con = duckdb.connect()
    con.execute("SET threads = 2")
    con.create_function("state_code", _state_code, ["VARCHAR"], "VARCHAR")
    con.create_function("state_name", _state_name, ["VARCHAR"], "VARCHAR")
    con.create_function("district_name", district_name, ["VARCHAR", "VARCHAR"], "VARCHAR")
    con.create_function("district_kind", district_kind, ["VARCHAR"], "VARCHAR")
    con.create_function("is_total", is_total, ["VARCHAR"], "BOOLEAN")
    con.execute("CREATE TABLE raw_crime (s TEXT, d TEXT, y INT, c TEXT, n BIGINT)")
    con.execute("CREATE TABLE raw_women (s TEXT, d TEXT, y INT, c TEXT, n BIGINT)")
    con.execute("CREATE TABLE raw_slot (s TEXT, y INT, c TEXT, n BIGINT)")
    con.execute("CREATE TABLE raw_month (s TEXT, y INT, c TEXT, n BIGINT)")
    for span in ("2001_2012", "2013", "2014"):
        con.execute(_tall("raw_crime", f"01_District_wise_crimes_committed_IPC_{span}.csv", 3))
        con.execute(_tall("raw_women", f"42_District_wise_crimes_committed_against_women_{span}.csv", 3))
    con.execute(_tall("raw_slot", "road_accidents_by_time_of_day_2001_2014.csv", 2))
    con.execute(_tall("raw_month", "road_accidents_by_month_2001_2014.csv", 2))
    con.execute(
        "CREATE TABLE places AS SELECT DISTINCT s, d FROM raw_crime UNION SELECT DISTINCT s, d FROM raw_women"
    )
    con.execute(
        "CREATE TABLE named AS SELECT s, d, state_code(s) AS state_code, state_name(s) AS state, "
        "district_name(state_code(s), d) AS district, district_kind(d) AS kind FROM places WHERE NOT is_total(d)"
    )
    for table, groups in (("crime", GROUPS), ("women", WOMEN_GROUPS)):
        con.execute(f"CREATE TABLE {table}_columns (g TEXT, late BOOLEAN, c TEXT)")
        rows = [
            (group, late, column)
            for group, pair in groups.items()
            for late, listed in enumerate(pair)
            for column in (listed or "").split("|")
            if column
        ]
        con.executemany(f"INSERT INTO {table}_columns VALUES (?, ?, ?)", rows)
        con.execute(
            f"CREATE TABLE {table} AS SELECT state_code, state, district, kind, y, g, sum(n)::BIGINT AS n "
            f"FROM raw_{table} JOIN named USING (s, d) JOIN {table}_columns k "
            f"ON k.c = raw_{table}.c AND k.late = (y = 2014) GROUP BY ALL"
        )
    # All IPC: the state rows' own total would do for a state; a district's total is off in four rows, so
    # a district is the sum of its top columns, which are all but those that are part of another.
    parts = [c for _, pair in PARTS.items() for c in pair]
    con.execute(
        "INSERT INTO crime SELECT state_code, state, district, kind, y, 'all_ipc', sum(n)::BIGINT FROM raw_crime "
        "JOIN named USING (s, d) WHERE c NOT ILIKE 'total%ipc crimes' AND NOT list_contains(?, "
        "CASE WHEN y = 2014 THEN '14:' ELSE '01:' END || c) GROUP BY ALL",
        [parts],
    )
    _marts(con)
    return con


#: The columns that are part of another, by year of the layout.
PARTS = {
    "2001": ["01:CUSTODIAL RAPE", "01:OTHER RAPE", "01:KIDNAPPING AND ABDUCTION OF WOMEN AND GIRLS",
             "01:KIDNAPPING AND ABDUCTION OF OTHERS", "01:AUTO THEFT", "01:OTHER THEFT"],
    "2014": [f"14:{c}" for c in ["Custodial Rape", "Custodial_Gang Rape", "Custodial_Other Rape", "Rape other than Custodial", "Rape_Gang Rape", "Rape_Others", "Kidnapping & Abduction", "Kidnapping & Abduction in order to Murder", "Kidnapping for Ransom", "Kidnapping & Abduction of Women to compel her for marriage", "Other Kidnapping", "Dacoity with Murder", "Other Dacoity", "Criminal Trespass or Burglary", "House Trespass & House Breaking", "Auto Theft", "Other Thefts", "Riots_Communal", "Riots_Industrial", "Riots_Political", "Riots_Caste Conflict", "Riots_SC/STs Vs Non-SCs/STs", "Riots_Other Caste Conflict", "Riots_Agrarian", "Riots_Students", "Riots_Sectarian", "Riots_Others", "Counterfeit Offences related to Counterfeit Coin", "Counterfeiting Government Stamp", "Counterfeit currency & Bank notes", "Counterfeiting currency notes/Bank notes", "Using forged or counterfeiting currency/Bank notes", "Possession of forged or counterfeiting currency/Bank notes", "Making or Possessing materials for forged currency/Bank notes", "Making or Using documents resembling currency", "Hurt", "Acid attack", "Attempt to Acid Attack", "Sexual Harassment", "Assault or use of criminal force to women with intent to Disrobe", "Voyeurism", "Stalking", "Other Assault on Women", "At Office premises", "Other places related to work", "In Public Transport system", "Places other than 231, 232 & 233", "Deaths due to negligent driving/act", "Deaths due to Other Causes", "Sedition", "Other offences against State", "Promoting enmity between different groups", "Imputation, assertions prejudicial to national integration"]],
}  # fmt: skip


def _levels(select: str, keys: str) -> str:
    """SQL: figures by state (``state_code, state, <keys>, n``) with country and combined rows added."""
    return f"""
        WITH st AS ({select})
        SELECT 'state' AS level, * FROM st
        UNION ALL BY NAME
        SELECT 'country' AS level, 'IN' AS state_code, 'India' AS state, {keys}, sum(n)::BIGINT AS n FROM st GROUP BY ALL
        UNION ALL BY NAME
        SELECT 'combined' AS level, 'IN-AP+TS' AS state_code, 'Andhra Pradesh and Telangana (together)' AS state,
               {keys}, sum(n)::BIGINT AS n FROM st WHERE state_code IN ('IN-AP', 'IN-TS') GROUP BY ALL
    """


def _marts(con: duckdb.DuckDBPyConnection) -> None:
    census = f"read_csv('{DATA / 'population_by_state_2001_2011.csv'}', header=true)"
    estimate = (
        "SELECT state_code(State_UT) AS state_code, state_name(State_UT) AS state, y::INT AS y, "
        "round(Population_Persons_2001 * pow(Population_Persons_2011 / Population_Persons_2001, (y - 2001) / 10.0))"
        f"::BIGINT AS n FROM {census}, range(2001, 2015) t(y)"
    )
    con.execute(f"""
        CREATE TABLE population_by_year AS
        SELECT level, state_code, state, y AS year, n AS population,
               CASE WHEN y IN (2001, 2011) THEN 'census' WHEN y < 2011 THEN 'interpolated' ELSE 'extrapolated' END AS basis
        FROM ({_levels(estimate, "y")})
        WHERE NOT (level = 'state' AND state_code IN ('IN-AP', 'IN-TS') AND y >= 2014)
    """)
    con.execute(f"""
        CREATE TABLE series AS
        {_levels("SELECT state_code, state, y, g, sum(n)::BIGINT AS n FROM crime GROUP BY ALL", "y, g")}
    """)
    con.execute("""
        CREATE TABLE crime_by_region AS
        WITH placed AS (
            SELECT level, state_code, state, NULL AS district, y, g, n, level = 'state' AS ranked FROM series
            UNION ALL
            SELECT 'district', state_code, state, district, y, g, n, kind = 'district' FROM crime
        ), ranks AS (
            SELECT *, rank() OVER (w ORDER BY n DESC) AS r, percent_rank() OVER (w ORDER BY n) AS p
            FROM placed WINDOW w AS (PARTITION BY level, y, g, ranked)
        )
        SELECT ranks.level, ranks.state_code, ranks.state, district, y AS year, g AS crime_group, n AS cases, population,
               round(n * 100000 / population, 2) AS rate_per_lakh,
               CASE WHEN ranked THEN r END AS rank_in_year,
               CASE WHEN NOT ranked THEN NULL WHEN n = 0 THEN 'none' WHEN p >= 0.8 THEN 'very high' WHEN p >= 0.6 THEN 'high'
                    WHEN p >= 0.4 THEN 'medium' WHEN p >= 0.2 THEN 'low' ELSE 'very low' END AS magnitude
        FROM ranks LEFT JOIN population_by_year p
          ON p.level = ranks.level AND p.state_code = ranks.state_code AND p.year = y
    """)
    trend = """
        SELECT *, round(change, 1) AS change_pct,
                  CASE WHEN broken THEN 'series break' WHEN change IS NULL THEN 'no base' WHEN change >= 5 THEN 'rising'
                       WHEN change <= -5 THEN 'falling' ELSE 'steady' END AS trend
        FROM (SELECT *, CASE WHEN NOT broken AND before > 0 THEN (n - before) * 100.0 / before END AS change
              FROM (SELECT *, lag(n) OVER (PARTITION BY level, state_code, g ORDER BY y) AS before,
                           y = 2014 AND (g IN ({broken}) OR level = 'state' AND state_code IN ('IN-AP', 'IN-TS')) AS broken
                    FROM {table}))
    """
    broken = ", ".join(f"'{group}'" for group in BROKEN)
    con.execute(f"""
        CREATE TABLE crime_by_period AS
        SELECT level, state_code, state, y AS year, g AS crime_group, n AS cases, change_pct, trend
        FROM ({trend.format(broken=broken, table="series")})
    """)
    con.execute(f"""
        CREATE TABLE women_series AS
        {_levels("SELECT state_code, state, y, g, sum(n)::BIGINT AS n FROM women GROUP BY ALL", "y, g")}
    """)
    con.execute(f"""
        CREATE TABLE crimes_against_women AS
        SELECT t.level, t.state_code, t.state, y AS year, g AS women_group,
               IF(y = 2014, 'ipc_and_special_laws', 'ipc_seven_heads') AS scope, n AS cases, population,
               round(n * 100000 / population, 2) AS rate_per_lakh, change_pct, trend
        FROM ({trend.format(broken="'all_in_scope'", table="women_series")}) t LEFT JOIN population_by_year p
          ON p.level = t.level AND p.state_code = t.state_code AND p.year = y
    """)
    slot = "SELECT state_code(s) AS state_code, state_name(s) AS state, y, c, n FROM raw_slot WHERE c ILIKE '%hrs%'"
    con.execute(f"""
        CREATE TABLE traffic_by_time_of_day AS
        SELECT level, state_code, state, y AS year,
               lpad(regexp_extract(c, '^(\\d+)-', 1), 2, '0') || '-' || lpad(regexp_extract(c, '-(\\d+)', 1), 2, '0') AS slot,
               n AS cases, round(n * 100.0 / nullif(sum(n) OVER (PARTITION BY level, state_code, y), 0), 2) AS share_pct
        FROM ({_levels(slot, "y, c")}) WHERE level <> 'combined'
    """)
    month = "SELECT state_code(s) AS state_code, state_name(s) AS state, y, c, n FROM raw_month WHERE c <> 'TOTAL'"
    con.execute(f"""
        CREATE TABLE traffic_by_month AS
        WITH m AS (SELECT *, strptime(y || '-' || c || '-01', '%Y-%B-%d')::DATE AS first FROM ({_levels(month, "y, c")}))
        SELECT level, state_code, state, y AS year, month(first)::INT AS month_number, n AS cases,
               round(n * 100.0 / nullif(sum(n) OVER (PARTITION BY level, state_code, y), 0), 2) AS share_pct,
               round(n / day(last_day(first)), 2) AS cases_per_day
        FROM m WHERE level <> 'combined'
    """)
    con.execute(f"""
        CREATE TABLE hot_spots AS
        WITH d AS (SELECT state_code, state, district, y, g, sum(n)::BIGINT AS n FROM crime WHERE kind = 'district' GROUP BY ALL),
        h AS (SELECT *, percent_rank() OVER (PARTITION BY y, g ORDER BY n) AS p,
                     (SELECT n FROM d b WHERE (b.state_code, b.district, b.g) = (d.state_code, d.district, d.g) AND b.y = d.y - 1) AS n1,
                     (SELECT n FROM d b WHERE (b.state_code, b.district, b.g) = (d.state_code, d.district, d.g) AND b.y = d.y - 2) AS n2,
                     (SELECT n FROM d b WHERE (b.state_code, b.district, b.g) = (d.state_code, d.district, d.g) AND b.y = d.y - 3) AS n3
              FROM d),
        b AS (SELECT *, CASE WHEN n1 IS NOT NULL AND n2 IS NOT NULL AND n3 IS NOT NULL
                              AND NOT (y = 2014 AND g IN ({broken})) THEN n3 END AS base FROM h),
        m AS (SELECT *, CASE WHEN base > 0 THEN (n - base) * 100.0 / base END AS growth,
                     coalesce(p >= 0.95 AND n >= 10, false) AS high,
                     coalesce(base >= 50 AND growth >= 50 AND n >= n1 AND n1 >= n2 AND n2 >= n3, false) AS rising FROM b)
        SELECT state_code, state, district, y AS year, g AS crime_group, n AS cases, round(p, 4) AS percentile,
               base AS base_cases, round(growth, 1) AS growth_pct,
               concat_ws(' and ', IF(high, 'high', NULL), IF(rising, 'rising', NULL)) AS hot_spot
        FROM m WHERE high OR rising
    """)
