-- Made by `python -m crime_jobs.adhoc.ddl`: change the model and run that, not this file.
CREATE EXTERNAL TABLE IF NOT EXISTS landing_ipc_2001_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  murder string COMMENT 'cases: Murder',
  attempt_to_murder string COMMENT 'cases: Attempt to murder',
  culpable_homicide string COMMENT 'cases: Culpable homicide not amounting to murder',
  rape string COMMENT 'cases: Rape',
  rape_custodial string COMMENT 'cases: Custodial rape',
  rape_other_than_custodial string COMMENT 'cases: Rape other than custodial',
  kidnapping_abduction string COMMENT 'cases: Kidnapping and abduction',
  kidnapping_women_girls string COMMENT 'cases: Kidnapping and abduction of women and girls',
  kidnapping_of_others string COMMENT 'cases: Kidnapping and abduction of others',
  dacoity string COMMENT 'cases: Dacoity',
  dacoity_preparation string COMMENT 'cases: Preparation and assembly for dacoity',
  robbery string COMMENT 'cases: Robbery',
  burglary string COMMENT 'cases: Burglary',
  theft string COMMENT 'cases: Theft',
  theft_auto string COMMENT 'cases: Auto theft',
  theft_other string COMMENT 'cases: Other theft',
  riots string COMMENT 'cases: Riots',
  criminal_breach_of_trust string COMMENT 'cases: Criminal breach of trust',
  cheating string COMMENT 'cases: Cheating',
  counterfeiting string COMMENT 'cases: Counterfeiting',
  arson string COMMENT 'cases: Arson',
  hurt string COMMENT 'cases: Hurt and grievous hurt',
  dowry_death string COMMENT 'cases: Dowry deaths',
  assault_on_women string COMMENT 'cases: Assault on women with intent to outrage her modesty',
  insult_to_modesty string COMMENT 'cases: Insult to the modesty of women',
  cruelty_by_husband string COMMENT 'cases: Cruelty by husband or his relatives',
  importation_of_girls string COMMENT 'cases: Importation of girls from foreign countries',
  death_by_negligence string COMMENT 'cases: Causing death by negligence',
  other_ipc string COMMENT 'cases: Other IPC crimes (2001-2013)',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout ipc_2001, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${lake}/landing_by_layout/ipc_2001/'
TBLPROPERTIES (
  'made_by' = 'crime-jobs',
  'skip.header.line.count' = '1'
)
