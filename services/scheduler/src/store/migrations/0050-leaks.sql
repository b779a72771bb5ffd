-- Row E4: the runs whose leaks are looked for, by the method of jobs or the name of a section of a service.
CREATE TABLE offstage.leak_tracking (
  namespace text NOT NULL,
  name text NOT NULL,
  expire_time timestamptz NOT NULL,
  PRIMARY KEY (namespace, name)
);

-- What each executor and service has found, all that it knows of the runs of one name.
CREATE TABLE offstage.leak_figures (
  namespace text NOT NULL,
  name text NOT NULL,
  reporter text NOT NULL,
  run_count bigint NOT NULL,
  leaks jsonb NOT NULL,
  report_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, name, reporter)
);
CREATE INDEX leak_figures_by_time ON offstage.leak_figures (report_time);
