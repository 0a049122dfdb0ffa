-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_women_2001_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  rape string COMMENT 'cases: Rape',
  kidnapping_women_girls string COMMENT 'cases: Kidnapping and abduction of women and girls',
  dowry_death string COMMENT 'cases: Dowry deaths',
  assault_on_women string COMMENT 'cases: Assault on women with intent to outrage her modesty',
  insult_to_modesty string COMMENT 'cases: Insult to the modesty of women',
  cruelty_by_husband string COMMENT 'cases: Cruelty by husband or his relatives',
  importation_of_girls string COMMENT 'cases: Importation of girls from foreign countries'
)
COMMENT 'Landing files of layout women_2001, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/women_2001/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
