-- Keys that sign the tokens of attempts: the newest signs, the others verify what they have signed. Whichever replica finds the
-- newest too old makes the next (store/signing-keys.ts). Whoever can read this table can act for every user.
CREATE TABLE offstage.signing_keys (
  id           text        PRIMARY KEY,             -- the name that tokens give
  private_key  text        NOT NULL,                -- of Ed25519, PKCS #8 in PEM
  create_time  timestamptz NOT NULL DEFAULT clock_timestamp()
);
