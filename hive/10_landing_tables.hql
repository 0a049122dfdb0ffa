-- External tables over the landing CSVs, and typed views over them

-- Made by `python -m crime_jobs.hivesql`: change the model and run that, not this file.

-- The files stand in one folder a layout, their copies made by `crime-jobs hive` (docs/hive.md).
-- Hive skips the header line, Spark does not: ask the views, they are right in both.
USE ${hivevar:database};

DROP TABLE IF EXISTS landing_ipc_2001_csv;

CREATE EXTERNAL TABLE landing_ipc_2001_csv (
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
LOCATION '${hivevar:lake}/landing_by_layout/ipc_2001'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_ipc_2001 AS
SELECT
  trim(state) AS state,
  trim(district) AS district,
  CAST(trim(year) AS int) AS year,
  CAST(trim(murder) AS bigint) AS murder,
  CAST(trim(attempt_to_murder) AS bigint) AS attempt_to_murder,
  CAST(trim(culpable_homicide) AS bigint) AS culpable_homicide,
  CAST(trim(rape) AS bigint) AS rape,
  CAST(trim(rape_custodial) AS bigint) AS rape_custodial,
  CAST(trim(rape_other_than_custodial) AS bigint) AS rape_other_than_custodial,
  CAST(trim(kidnapping_abduction) AS bigint) AS kidnapping_abduction,
  CAST(trim(kidnapping_women_girls) AS bigint) AS kidnapping_women_girls,
  CAST(trim(kidnapping_of_others) AS bigint) AS kidnapping_of_others,
  CAST(trim(dacoity) AS bigint) AS dacoity,
  CAST(trim(dacoity_preparation) AS bigint) AS dacoity_preparation,
  CAST(trim(robbery) AS bigint) AS robbery,
  CAST(trim(burglary) AS bigint) AS burglary,
  CAST(trim(theft) AS bigint) AS theft,
  CAST(trim(theft_auto) AS bigint) AS theft_auto,
  CAST(trim(theft_other) AS bigint) AS theft_other,
  CAST(trim(riots) AS bigint) AS riots,
  CAST(trim(criminal_breach_of_trust) AS bigint) AS criminal_breach_of_trust,
  CAST(trim(cheating) AS bigint) AS cheating,
  CAST(trim(counterfeiting) AS bigint) AS counterfeiting,
  CAST(trim(arson) AS bigint) AS arson,
  CAST(trim(hurt) AS bigint) AS hurt,
  CAST(trim(dowry_death) AS bigint) AS dowry_death,
  CAST(trim(assault_on_women) AS bigint) AS assault_on_women,
  CAST(trim(insult_to_modesty) AS bigint) AS insult_to_modesty,
  CAST(trim(cruelty_by_husband) AS bigint) AS cruelty_by_husband,
  CAST(trim(importation_of_girls) AS bigint) AS importation_of_girls,
  CAST(trim(death_by_negligence) AS bigint) AS death_by_negligence,
  CAST(trim(other_ipc) AS bigint) AS other_ipc,
  CAST(trim(total_cases) AS bigint) AS total_cases
FROM landing_ipc_2001_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_ipc_2014_csv;

CREATE EXTERNAL TABLE landing_ipc_2014_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  murder string COMMENT 'cases: Murder',
  attempt_to_murder string COMMENT 'cases: Attempt to murder',
  culpable_homicide string COMMENT 'cases: Culpable homicide not amounting to murder',
  attempt_culpable_homicide string COMMENT 'cases: Attempt to commit culpable homicide',
  rape string COMMENT 'cases: Rape',
  rape_custodial string COMMENT 'cases: Custodial rape',
  rape_custodial_gang string COMMENT 'cases: Custodial gang rape',
  rape_custodial_other string COMMENT 'cases: Other custodial rape',
  rape_other_than_custodial string COMMENT 'cases: Rape other than custodial',
  rape_gang string COMMENT 'cases: Gang rape other than custodial',
  rape_others string COMMENT 'cases: Other rape other than custodial',
  attempt_to_rape string COMMENT 'cases: Attempt to commit rape',
  kidnapping_abduction string COMMENT 'cases: Kidnapping and abduction',
  kidnapping_simple string COMMENT 'cases: Kidnapping and abduction, not further specified',
  kidnapping_to_murder string COMMENT 'cases: Kidnapping in order to murder',
  kidnapping_for_ransom string COMMENT 'cases: Kidnapping for ransom',
  kidnapping_to_compel_marriage string COMMENT 'cases: Kidnapping of women to compel marriage',
  kidnapping_other string COMMENT 'cases: Other kidnapping',
  dacoity string COMMENT 'cases: Dacoity',
  dacoity_with_murder string COMMENT 'cases: Dacoity with murder',
  dacoity_other string COMMENT 'cases: Other dacoity',
  dacoity_preparation string COMMENT 'cases: Preparation and assembly for dacoity',
  robbery string COMMENT 'cases: Robbery',
  burglary string COMMENT 'cases: Burglary',
  burglary_criminal_trespass string COMMENT 'cases: Criminal trespass or burglary',
  burglary_house_breaking string COMMENT 'cases: House trespass and house breaking',
  theft string COMMENT 'cases: Theft',
  theft_auto string COMMENT 'cases: Auto theft',
  theft_other string COMMENT 'cases: Other theft',
  unlawful_assembly string COMMENT 'cases: Unlawful assembly',
  riots string COMMENT 'cases: Riots',
  riots_communal string COMMENT 'cases: Communal riots',
  riots_industrial string COMMENT 'cases: Industrial riots',
  riots_political string COMMENT 'cases: Political riots',
  riots_caste string COMMENT 'cases: Caste conflicts',
  riots_caste_sc_st string COMMENT 'cases: Caste conflicts, SC/ST against others',
  riots_caste_other string COMMENT 'cases: Other caste conflicts',
  riots_agrarian string COMMENT 'cases: Agrarian riots',
  riots_students string COMMENT 'cases: Student riots',
  riots_sectarian string COMMENT 'cases: Sectarian riots',
  riots_other string COMMENT 'cases: Other riots',
  criminal_breach_of_trust string COMMENT 'cases: Criminal breach of trust',
  cheating string COMMENT 'cases: Cheating',
  forgery string COMMENT 'cases: Forgery',
  counterfeiting string COMMENT 'cases: Counterfeiting',
  counterfeiting_coin string COMMENT 'cases: Counterfeit coin',
  counterfeiting_stamp string COMMENT 'cases: Counterfeit government stamps',
  counterfeiting_currency string COMMENT 'cases: Counterfeit currency and bank notes',
  counterfeiting_currency_making string COMMENT 'cases: Counterfeiting bank notes',
  counterfeiting_currency_using string COMMENT 'cases: Using counterfeit bank notes',
  counterfeiting_currency_possession string COMMENT 'cases: Possession of counterfeit bank notes',
  counterfeiting_currency_materials string COMMENT 'cases: Materials for counterfeiting bank notes',
  counterfeiting_currency_resembling string COMMENT 'cases: Documents resembling currency',
  arson string COMMENT 'cases: Arson',
  grievous_hurt string COMMENT 'cases: Grievous hurt (2014)',
  grievous_hurt_without_acid string COMMENT 'cases: Hurt, part of grievous hurt (2014)',
  acid_attack string COMMENT 'cases: Acid attack',
  attempt_acid_attack string COMMENT 'cases: Attempt to acid attack',
  dowry_death string COMMENT 'cases: Dowry deaths',
  assault_on_women string COMMENT 'cases: Assault on women with intent to outrage her modesty',
  assault_sexual_harassment string COMMENT 'cases: Sexual harassment',
  assault_to_disrobe string COMMENT 'cases: Assault on women with intent to disrobe',
  assault_voyeurism string COMMENT 'cases: Voyeurism',
  assault_stalking string COMMENT 'cases: Stalking',
  assault_other string COMMENT 'cases: Other assault on women',
  insult_to_modesty string COMMENT 'cases: Insult to the modesty of women',
  insult_at_office string COMMENT 'cases: Insult at office premises',
  insult_at_work string COMMENT 'cases: Insult at other places related to work',
  insult_in_transport string COMMENT 'cases: Insult in public transport',
  insult_elsewhere string COMMENT 'cases: Insult elsewhere',
  cruelty_by_husband string COMMENT 'cases: Cruelty by husband or his relatives',
  importation_of_girls string COMMENT 'cases: Importation of girls from foreign countries',
  death_by_negligence string COMMENT 'cases: Causing death by negligence',
  death_by_negligent_driving string COMMENT 'cases: Death by negligent driving or act',
  death_by_other_negligence string COMMENT 'cases: Death by other negligence',
  against_state string COMMENT 'cases: Offences against the State',
  sedition string COMMENT 'cases: Sedition',
  against_state_other string COMMENT 'cases: Other offences against the State',
  promoting_enmity string COMMENT 'cases: Offences promoting enmity between groups',
  promoting_enmity_groups string COMMENT 'cases: Promoting enmity between groups',
  prejudicial_to_integration string COMMENT 'cases: Assertions prejudicial to national integration',
  extortion string COMMENT 'cases: Extortion',
  disclosure_of_victim string COMMENT 'cases: Disclosure of the identity of victims',
  rash_driving string COMMENT 'cases: Rash driving',
  human_trafficking string COMMENT 'cases: Human trafficking',
  unnatural_offence string COMMENT 'cases: Unnatural offence',
  other_ipc_2014 string COMMENT 'cases: Other IPC crimes (2014)',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout ipc_2014, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/ipc_2014'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_ipc_2014 AS
SELECT
  trim(state) AS state,
  trim(district) AS district,
  CAST(trim(year) AS int) AS year,
  CAST(trim(murder) AS bigint) AS murder,
  CAST(trim(attempt_to_murder) AS bigint) AS attempt_to_murder,
  CAST(trim(culpable_homicide) AS bigint) AS culpable_homicide,
  CAST(trim(attempt_culpable_homicide) AS bigint) AS attempt_culpable_homicide,
  CAST(trim(rape) AS bigint) AS rape,
  CAST(trim(rape_custodial) AS bigint) AS rape_custodial,
  CAST(trim(rape_custodial_gang) AS bigint) AS rape_custodial_gang,
  CAST(trim(rape_custodial_other) AS bigint) AS rape_custodial_other,
  CAST(trim(rape_other_than_custodial) AS bigint) AS rape_other_than_custodial,
  CAST(trim(rape_gang) AS bigint) AS rape_gang,
  CAST(trim(rape_others) AS bigint) AS rape_others,
  CAST(trim(attempt_to_rape) AS bigint) AS attempt_to_rape,
  CAST(trim(kidnapping_abduction) AS bigint) AS kidnapping_abduction,
  CAST(trim(kidnapping_simple) AS bigint) AS kidnapping_simple,
  CAST(trim(kidnapping_to_murder) AS bigint) AS kidnapping_to_murder,
  CAST(trim(kidnapping_for_ransom) AS bigint) AS kidnapping_for_ransom,
  CAST(trim(kidnapping_to_compel_marriage) AS bigint) AS kidnapping_to_compel_marriage,
  CAST(trim(kidnapping_other) AS bigint) AS kidnapping_other,
  CAST(trim(dacoity) AS bigint) AS dacoity,
  CAST(trim(dacoity_with_murder) AS bigint) AS dacoity_with_murder,
  CAST(trim(dacoity_other) AS bigint) AS dacoity_other,
  CAST(trim(dacoity_preparation) AS bigint) AS dacoity_preparation,
  CAST(trim(robbery) AS bigint) AS robbery,
  CAST(trim(burglary) AS bigint) AS burglary,
  CAST(trim(burglary_criminal_trespass) AS bigint) AS burglary_criminal_trespass,
  CAST(trim(burglary_house_breaking) AS bigint) AS burglary_house_breaking,
  CAST(trim(theft) AS bigint) AS theft,
  CAST(trim(theft_auto) AS bigint) AS theft_auto,
  CAST(trim(theft_other) AS bigint) AS theft_other,
  CAST(trim(unlawful_assembly) AS bigint) AS unlawful_assembly,
  CAST(trim(riots) AS bigint) AS riots,
  CAST(trim(riots_communal) AS bigint) AS riots_communal,
  CAST(trim(riots_industrial) AS bigint) AS riots_industrial,
  CAST(trim(riots_political) AS bigint) AS riots_political,
  CAST(trim(riots_caste) AS bigint) AS riots_caste,
  CAST(trim(riots_caste_sc_st) AS bigint) AS riots_caste_sc_st,
  CAST(trim(riots_caste_other) AS bigint) AS riots_caste_other,
  CAST(trim(riots_agrarian) AS bigint) AS riots_agrarian,
  CAST(trim(riots_students) AS bigint) AS riots_students,
  CAST(trim(riots_sectarian) AS bigint) AS riots_sectarian,
  CAST(trim(riots_other) AS bigint) AS riots_other,
  CAST(trim(criminal_breach_of_trust) AS bigint) AS criminal_breach_of_trust,
  CAST(trim(cheating) AS bigint) AS cheating,
  CAST(trim(forgery) AS bigint) AS forgery,
  CAST(trim(counterfeiting) AS bigint) AS counterfeiting,
  CAST(trim(counterfeiting_coin) AS bigint) AS counterfeiting_coin,
  CAST(trim(counterfeiting_stamp) AS bigint) AS counterfeiting_stamp,
  CAST(trim(counterfeiting_currency) AS bigint) AS counterfeiting_currency,
  CAST(trim(counterfeiting_currency_making) AS bigint) AS counterfeiting_currency_making,
  CAST(trim(counterfeiting_currency_using) AS bigint) AS counterfeiting_currency_using,
  CAST(trim(counterfeiting_currency_possession) AS bigint) AS counterfeiting_currency_possession,
  CAST(trim(counterfeiting_currency_materials) AS bigint) AS counterfeiting_currency_materials,
  CAST(trim(counterfeiting_currency_resembling) AS bigint) AS counterfeiting_currency_resembling,
  CAST(trim(arson) AS bigint) AS arson,
  CAST(trim(grievous_hurt) AS bigint) AS grievous_hurt,
  CAST(trim(grievous_hurt_without_acid) AS bigint) AS grievous_hurt_without_acid,
  CAST(trim(acid_attack) AS bigint) AS acid_attack,
  CAST(trim(attempt_acid_attack) AS bigint) AS attempt_acid_attack,
  CAST(trim(dowry_death) AS bigint) AS dowry_death,
  CAST(trim(assault_on_women) AS bigint) AS assault_on_women,
  CAST(trim(assault_sexual_harassment) AS bigint) AS assault_sexual_harassment,
  CAST(trim(assault_to_disrobe) AS bigint) AS assault_to_disrobe,
  CAST(trim(assault_voyeurism) AS bigint) AS assault_voyeurism,
  CAST(trim(assault_stalking) AS bigint) AS assault_stalking,
  CAST(trim(assault_other) AS bigint) AS assault_other,
  CAST(trim(insult_to_modesty) AS bigint) AS insult_to_modesty,
  CAST(trim(insult_at_office) AS bigint) AS insult_at_office,
  CAST(trim(insult_at_work) AS bigint) AS insult_at_work,
  CAST(trim(insult_in_transport) AS bigint) AS insult_in_transport,
  CAST(trim(insult_elsewhere) AS bigint) AS insult_elsewhere,
  CAST(trim(cruelty_by_husband) AS bigint) AS cruelty_by_husband,
  CAST(trim(importation_of_girls) AS bigint) AS importation_of_girls,
  CAST(trim(death_by_negligence) AS bigint) AS death_by_negligence,
  CAST(trim(death_by_negligent_driving) AS bigint) AS death_by_negligent_driving,
  CAST(trim(death_by_other_negligence) AS bigint) AS death_by_other_negligence,
  CAST(trim(against_state) AS bigint) AS against_state,
  CAST(trim(sedition) AS bigint) AS sedition,
  CAST(trim(against_state_other) AS bigint) AS against_state_other,
  CAST(trim(promoting_enmity) AS bigint) AS promoting_enmity,
  CAST(trim(promoting_enmity_groups) AS bigint) AS promoting_enmity_groups,
  CAST(trim(prejudicial_to_integration) AS bigint) AS prejudicial_to_integration,
  CAST(trim(extortion) AS bigint) AS extortion,
  CAST(trim(disclosure_of_victim) AS bigint) AS disclosure_of_victim,
  CAST(trim(rash_driving) AS bigint) AS rash_driving,
  CAST(trim(human_trafficking) AS bigint) AS human_trafficking,
  CAST(trim(unnatural_offence) AS bigint) AS unnatural_offence,
  CAST(trim(other_ipc_2014) AS bigint) AS other_ipc_2014,
  CAST(trim(total_cases) AS bigint) AS total_cases
FROM landing_ipc_2014_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_women_2001_csv;

CREATE EXTERNAL TABLE landing_women_2001_csv (
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
LOCATION '${hivevar:lake}/landing_by_layout/women_2001'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_women_2001 AS
SELECT
  trim(state) AS state,
  trim(district) AS district,
  CAST(trim(year) AS int) AS year,
  CAST(trim(rape) AS bigint) AS rape,
  CAST(trim(kidnapping_women_girls) AS bigint) AS kidnapping_women_girls,
  CAST(trim(dowry_death) AS bigint) AS dowry_death,
  CAST(trim(assault_on_women) AS bigint) AS assault_on_women,
  CAST(trim(insult_to_modesty) AS bigint) AS insult_to_modesty,
  CAST(trim(cruelty_by_husband) AS bigint) AS cruelty_by_husband,
  CAST(trim(importation_of_girls) AS bigint) AS importation_of_girls
FROM landing_women_2001_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_women_2014_csv;

CREATE EXTERNAL TABLE landing_women_2014_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  rape string COMMENT 'cases: Rape',
  rape_custodial string COMMENT 'cases: Custodial rape',
  rape_custodial_gang string COMMENT 'cases: Custodial gang rape',
  rape_custodial_other string COMMENT 'cases: Other custodial rape',
  rape_other_than_custodial string COMMENT 'cases: Rape other than custodial',
  rape_gang string COMMENT 'cases: Gang rape other than custodial',
  rape_others string COMMENT 'cases: Other rape other than custodial',
  attempt_to_rape string COMMENT 'cases: Attempt to commit rape',
  kidnapping_women_girls string COMMENT 'cases: Kidnapping and abduction of women and girls',
  kidnapping_simple string COMMENT 'cases: Kidnapping and abduction, not further specified',
  kidnapping_to_murder string COMMENT 'cases: Kidnapping in order to murder',
  kidnapping_for_ransom string COMMENT 'cases: Kidnapping for ransom',
  kidnapping_to_compel_marriage string COMMENT 'cases: Kidnapping of women to compel marriage',
  kidnapping_other string COMMENT 'cases: Other kidnapping',
  dowry_death string COMMENT 'cases: Dowry deaths',
  assault_on_women string COMMENT 'cases: Assault on women with intent to outrage her modesty',
  assault_sexual_harassment string COMMENT 'cases: Sexual harassment',
  assault_to_disrobe string COMMENT 'cases: Assault on women with intent to disrobe',
  assault_voyeurism string COMMENT 'cases: Voyeurism',
  assault_stalking string COMMENT 'cases: Stalking',
  assault_other string COMMENT 'cases: Other assault on women',
  insult_to_modesty string COMMENT 'cases: Insult to the modesty of women',
  insult_at_office string COMMENT 'cases: Insult at office premises',
  insult_at_work string COMMENT 'cases: Insult at other places related to work',
  insult_in_transport string COMMENT 'cases: Insult in public transport',
  insult_elsewhere string COMMENT 'cases: Insult elsewhere',
  cruelty_by_husband string COMMENT 'cases: Cruelty by husband or his relatives',
  importation_of_girls string COMMENT 'cases: Importation of girls from foreign countries',
  murder string COMMENT 'cases: Murder',
  attempt_to_murder string COMMENT 'cases: Attempt to murder',
  culpable_homicide string COMMENT 'cases: Culpable homicide not amounting to murder',
  attempt_culpable_homicide string COMMENT 'cases: Attempt to commit culpable homicide',
  grievous_hurt string COMMENT 'cases: Grievous hurt (2014)',
  grievous_hurt_without_acid string COMMENT 'cases: Hurt, part of grievous hurt (2014)',
  acid_attack string COMMENT 'cases: Acid attack',
  attempt_acid_attack string COMMENT 'cases: Attempt to acid attack',
  death_by_miscarriage string COMMENT 'cases: Death caused with intent to cause miscarriage',
  miscarriage_without_consent string COMMENT 'cases: Causing miscarriage without consent',
  dacoity string COMMENT 'cases: Dacoity',
  dacoity_with_murder string COMMENT 'cases: Dacoity with murder',
  dacoity_other string COMMENT 'cases: Other dacoity',
  robbery string COMMENT 'cases: Robbery',
  arson string COMMENT 'cases: Arson',
  human_trafficking string COMMENT 'cases: Human trafficking',
  abetment_of_suicide string COMMENT 'cases: Abetment of suicide',
  unnatural_offence string COMMENT 'cases: Unnatural offence',
  other_ipc_2014 string COMMENT 'cases: Other IPC crimes (2014)',
  sll_dowry_prohibition string COMMENT 'cases: Dowry Prohibition Act, 1961',
  sll_indecent_representation string COMMENT 'cases: Indecent Representation of Women (Prohibition) Act, 1986',
  sll_sati_prevention string COMMENT 'cases: Commission of Sati (Prevention) Act, 1987',
  sll_domestic_violence string COMMENT 'cases: Protection of Women from Domestic Violence Act, 2005',
  sll_immoral_traffic string COMMENT 'cases: Immoral Traffic (Prevention) Act, 1956',
  sll_immoral_traffic_s5 string COMMENT 'cases: Immoral Traffic (Prevention) Act, section 5',
  sll_immoral_traffic_s6 string COMMENT 'cases: Immoral Traffic (Prevention) Act, section 6',
  sll_immoral_traffic_s7 string COMMENT 'cases: Immoral Traffic (Prevention) Act, section 7',
  sll_immoral_traffic_s8 string COMMENT 'cases: Immoral Traffic (Prevention) Act, section 8',
  sll_immoral_traffic_other string COMMENT 'cases: Immoral Traffic (Prevention) Act, other sections',
  sll_other string COMMENT 'cases: Other crimes against women under special and local laws',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout women_2014, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/women_2014'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_women_2014 AS
SELECT
  trim(state) AS state,
  trim(district) AS district,
  CAST(trim(year) AS int) AS year,
  CAST(trim(rape) AS bigint) AS rape,
  CAST(trim(rape_custodial) AS bigint) AS rape_custodial,
  CAST(trim(rape_custodial_gang) AS bigint) AS rape_custodial_gang,
  CAST(trim(rape_custodial_other) AS bigint) AS rape_custodial_other,
  CAST(trim(rape_other_than_custodial) AS bigint) AS rape_other_than_custodial,
  CAST(trim(rape_gang) AS bigint) AS rape_gang,
  CAST(trim(rape_others) AS bigint) AS rape_others,
  CAST(trim(attempt_to_rape) AS bigint) AS attempt_to_rape,
  CAST(trim(kidnapping_women_girls) AS bigint) AS kidnapping_women_girls,
  CAST(trim(kidnapping_simple) AS bigint) AS kidnapping_simple,
  CAST(trim(kidnapping_to_murder) AS bigint) AS kidnapping_to_murder,
  CAST(trim(kidnapping_for_ransom) AS bigint) AS kidnapping_for_ransom,
  CAST(trim(kidnapping_to_compel_marriage) AS bigint) AS kidnapping_to_compel_marriage,
  CAST(trim(kidnapping_other) AS bigint) AS kidnapping_other,
  CAST(trim(dowry_death) AS bigint) AS dowry_death,
  CAST(trim(assault_on_women) AS bigint) AS assault_on_women,
  CAST(trim(assault_sexual_harassment) AS bigint) AS assault_sexual_harassment,
  CAST(trim(assault_to_disrobe) AS bigint) AS assault_to_disrobe,
  CAST(trim(assault_voyeurism) AS bigint) AS assault_voyeurism,
  CAST(trim(assault_stalking) AS bigint) AS assault_stalking,
  CAST(trim(assault_other) AS bigint) AS assault_other,
  CAST(trim(insult_to_modesty) AS bigint) AS insult_to_modesty,
  CAST(trim(insult_at_office) AS bigint) AS insult_at_office,
  CAST(trim(insult_at_work) AS bigint) AS insult_at_work,
  CAST(trim(insult_in_transport) AS bigint) AS insult_in_transport,
  CAST(trim(insult_elsewhere) AS bigint) AS insult_elsewhere,
  CAST(trim(cruelty_by_husband) AS bigint) AS cruelty_by_husband,
  CAST(trim(importation_of_girls) AS bigint) AS importation_of_girls,
  CAST(trim(murder) AS bigint) AS murder,
  CAST(trim(attempt_to_murder) AS bigint) AS attempt_to_murder,
  CAST(trim(culpable_homicide) AS bigint) AS culpable_homicide,
  CAST(trim(attempt_culpable_homicide) AS bigint) AS attempt_culpable_homicide,
  CAST(trim(grievous_hurt) AS bigint) AS grievous_hurt,
  CAST(trim(grievous_hurt_without_acid) AS bigint) AS grievous_hurt_without_acid,
  CAST(trim(acid_attack) AS bigint) AS acid_attack,
  CAST(trim(attempt_acid_attack) AS bigint) AS attempt_acid_attack,
  CAST(trim(death_by_miscarriage) AS bigint) AS death_by_miscarriage,
  CAST(trim(miscarriage_without_consent) AS bigint) AS miscarriage_without_consent,
  CAST(trim(dacoity) AS bigint) AS dacoity,
  CAST(trim(dacoity_with_murder) AS bigint) AS dacoity_with_murder,
  CAST(trim(dacoity_other) AS bigint) AS dacoity_other,
  CAST(trim(robbery) AS bigint) AS robbery,
  CAST(trim(arson) AS bigint) AS arson,
  CAST(trim(human_trafficking) AS bigint) AS human_trafficking,
  CAST(trim(abetment_of_suicide) AS bigint) AS abetment_of_suicide,
  CAST(trim(unnatural_offence) AS bigint) AS unnatural_offence,
  CAST(trim(other_ipc_2014) AS bigint) AS other_ipc_2014,
  CAST(trim(sll_dowry_prohibition) AS bigint) AS sll_dowry_prohibition,
  CAST(trim(sll_indecent_representation) AS bigint) AS sll_indecent_representation,
  CAST(trim(sll_sati_prevention) AS bigint) AS sll_sati_prevention,
  CAST(trim(sll_domestic_violence) AS bigint) AS sll_domestic_violence,
  CAST(trim(sll_immoral_traffic) AS bigint) AS sll_immoral_traffic,
  CAST(trim(sll_immoral_traffic_s5) AS bigint) AS sll_immoral_traffic_s5,
  CAST(trim(sll_immoral_traffic_s6) AS bigint) AS sll_immoral_traffic_s6,
  CAST(trim(sll_immoral_traffic_s7) AS bigint) AS sll_immoral_traffic_s7,
  CAST(trim(sll_immoral_traffic_s8) AS bigint) AS sll_immoral_traffic_s8,
  CAST(trim(sll_immoral_traffic_other) AS bigint) AS sll_immoral_traffic_other,
  CAST(trim(sll_other) AS bigint) AS sll_other,
  CAST(trim(total_cases) AS bigint) AS total_cases
FROM landing_women_2014_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_traffic_slot_csv;

CREATE EXTERNAL TABLE landing_traffic_slot_csv (
  state string COMMENT 'state as the file has it',
  year string COMMENT 'year as the file has it',
  slot_00_03 string COMMENT 'accidents, 00-03 hours',
  slot_03_06 string COMMENT 'accidents, 03-06 hours',
  slot_06_09 string COMMENT 'accidents, 06-09 hours',
  slot_09_12 string COMMENT 'accidents, 09-12 hours',
  slot_12_15 string COMMENT 'accidents, 12-15 hours',
  slot_15_18 string COMMENT 'accidents, 15-18 hours',
  slot_18_21 string COMMENT 'accidents, 18-21 hours',
  slot_21_24 string COMMENT 'accidents, 21-24 hours',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout traffic_slot, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/traffic_slot'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_traffic_slot AS
SELECT
  trim(state) AS state,
  CAST(trim(year) AS int) AS year,
  CAST(trim(slot_00_03) AS bigint) AS slot_00_03,
  CAST(trim(slot_03_06) AS bigint) AS slot_03_06,
  CAST(trim(slot_06_09) AS bigint) AS slot_06_09,
  CAST(trim(slot_09_12) AS bigint) AS slot_09_12,
  CAST(trim(slot_12_15) AS bigint) AS slot_12_15,
  CAST(trim(slot_15_18) AS bigint) AS slot_15_18,
  CAST(trim(slot_18_21) AS bigint) AS slot_18_21,
  CAST(trim(slot_21_24) AS bigint) AS slot_21_24,
  CAST(trim(total_cases) AS bigint) AS total_cases
FROM landing_traffic_slot_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_traffic_month_csv;

CREATE EXTERNAL TABLE landing_traffic_month_csv (
  state string COMMENT 'state as the file has it',
  year string COMMENT 'year as the file has it',
  month_01 string COMMENT 'accidents, month 01',
  month_02 string COMMENT 'accidents, month 02',
  month_03 string COMMENT 'accidents, month 03',
  month_04 string COMMENT 'accidents, month 04',
  month_05 string COMMENT 'accidents, month 05',
  month_06 string COMMENT 'accidents, month 06',
  month_07 string COMMENT 'accidents, month 07',
  month_08 string COMMENT 'accidents, month 08',
  month_09 string COMMENT 'accidents, month 09',
  month_10 string COMMENT 'accidents, month 10',
  month_11 string COMMENT 'accidents, month 11',
  month_12 string COMMENT 'accidents, month 12',
  total_cases string COMMENT 'total of the row as the file has it'
)
COMMENT 'Landing files of layout traffic_month, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/traffic_month'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_traffic_month AS
SELECT
  trim(state) AS state,
  CAST(trim(year) AS int) AS year,
  CAST(trim(month_01) AS bigint) AS month_01,
  CAST(trim(month_02) AS bigint) AS month_02,
  CAST(trim(month_03) AS bigint) AS month_03,
  CAST(trim(month_04) AS bigint) AS month_04,
  CAST(trim(month_05) AS bigint) AS month_05,
  CAST(trim(month_06) AS bigint) AS month_06,
  CAST(trim(month_07) AS bigint) AS month_07,
  CAST(trim(month_08) AS bigint) AS month_08,
  CAST(trim(month_09) AS bigint) AS month_09,
  CAST(trim(month_10) AS bigint) AS month_10,
  CAST(trim(month_11) AS bigint) AS month_11,
  CAST(trim(month_12) AS bigint) AS month_12,
  CAST(trim(total_cases) AS bigint) AS total_cases
FROM landing_traffic_month_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_long_csv;

CREATE EXTERNAL TABLE landing_long_csv (
  state string COMMENT 'state as the file has it',
  district string COMMENT 'district as the file has it',
  year string COMMENT 'year as the file has it',
  crime_head string COMMENT 'crime head as the file has it',
  cases string COMMENT 'cases registered'
)
COMMENT 'Landing files of layout long, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/long'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_long AS
SELECT
  trim(state) AS state,
  trim(district) AS district,
  CAST(trim(year) AS int) AS year,
  trim(crime_head) AS crime_head,
  CAST(trim(cases) AS bigint) AS cases
FROM landing_long_csv
WHERE trim(year) RLIKE '^[0-9]+$';

DROP TABLE IF EXISTS landing_census_csv;

CREATE EXTERNAL TABLE landing_census_csv (
  state string COMMENT 'state as the file has it',
  population_2001 string COMMENT 'persons, census of 2001',
  population_2011 string COMMENT 'persons, census of 2011'
)
COMMENT 'Landing files of layout census, as they came; all columns are text'
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
STORED AS TEXTFILE
LOCATION '${hivevar:lake}/landing_by_layout/census'
TBLPROPERTIES ('skip.header.line.count'='1');

CREATE OR REPLACE VIEW landing_census AS
SELECT
  trim(state) AS state,
  CAST(trim(population_2001) AS bigint) AS population_2001,
  CAST(trim(population_2011) AS bigint) AS population_2011
FROM landing_census_csv
WHERE trim(population_2001) RLIKE '^[0-9]+$';
