-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS firs (
  schema_version int COMMENT 'version of these columns',
  fir_key string COMMENT 'state/district/station/year/number; Z before the number of a Zero FIR',
  state_code string COMMENT 'code as in india_states.geojson',
  district string COMMENT 'district, spelt as in crime_facts',
  police_station string COMMENT 'police station',
  fir_number int COMMENT 'number within station and year',
  fir_year int COMMENT 'year of the number',
  is_zero boolean COMMENT 'registered away from where it belongs (BNSS 173)',
  zero_key string COMMENT 'key of the Zero FIR that this one was before',
  sections string COMMENT 'acts and sections, as BNS:103(1);BNS:3(5)',
  crime_head string COMMENT 'crime head, the principal offence\'s',
  crime_group string COMMENT 'the one group it is counted in',
  against_women boolean COMMENT 'an offence against women',
  is_grave boolean COMMENT 'of the offences that the control room hears of at once',
  is_protected boolean COMMENT 'sexual offence or a child\'s case: no identity, no place',
  occurred_at string COMMENT 'when the offence began',
  reported_at string COMMENT 'when the station was told: the event time',
  latitude double COMMENT 'degrees north, WGS 84',
  longitude double COMMENT 'degrees east, WGS 84',
  location_cell string COMMENT 'geohash of 7 characters, about 150 m',
  content_hash string COMMENT 'SHA-256 of what the FIR says',
  sent_at string COMMENT 'when the producer made this event'
)
COMMENT 'FIRs as the stream brought them: the same FIR may be there twice'
PARTITIONED BY (
  delivered_on string COMMENT 'day on which Firehose wrote the file, as 2026/11/24, UTC'
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
STORED AS TEXTFILE
LOCATION '${history}/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'projection.enabled' = 'true',
  'projection.delivered_on.type' = 'date',
  'projection.delivered_on.format' = 'yyyy/MM/dd',
  'projection.delivered_on.range' = '2026/01/01,NOW',
  'projection.delivered_on.interval' = '1',
  'projection.delivered_on.interval.unit' = 'DAYS',
  'storage.location.template' = '${history}/${delivered_on}/'
)
