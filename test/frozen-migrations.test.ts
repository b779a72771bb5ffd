import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { breaksOlder } from '@offstage/kit/database'
import { expect, test } from 'vitest'

/** SHA-256 of each migration. A new file adds its line here; the lines there are stay as they are. */
const FROZEN: Readonly<Record<string, string>> = {
  'scheduler/0001-jobs.sql': '4185e3262ab56b9e4e27ef9c16c039d31e583ab80acaf6e8c4d16e9dcfe118f6',
  'scheduler/0002-session-keys.sql':
    '038578e732a8246eb10737a59703c0ddeef63ad447a436e55e661af2824c2fd3',
  'scheduler/0003-signing-keys.sql':
    'ee5f53e30be0767db5874ffe531de92545917c0d6cb9cdd31fd2b7a9cde80198',
  'scheduler/0004-acts.sql': '7fa8a769f58e31b6b66c7c61c7a9f3ec54f5df7ea11c1930503600cef4d34d3e',
  'scheduler/0005-deadlines.sql':
    '7d77dce2ccd48fff9a65e7a1b358ee19869e3b4678cab6cc752da5e739a30696',
  'scheduler/0006-retention.sql':
    'db57631fb662f1ba33664b740c181405a6891a8bf8983774ca192417d63bee1c',
  'scheduler/0007-pools.sql': '6fa1d35461555476b6a669d7aae412baee38fde02db468c7a653a6e3c22898a1',
  'scheduler/0008-history.sql': '0ab9ff6dadce47c0d18408a11db3c299d82c2805384fc04913939d9ee3d5b0bd',
  'scheduler/0009-limits.sql': 'de9bb97890fde2b9d004ed57b6eb8e17755d2a1f0ea2fe9ad3d62158429ca3f0',
  'scheduler/0010-remove-jobs.sql':
    '0c31727861748c3516caac1c0ea3710d3ef4f6a1c7bcb66ca1366dc21f74c6a1',
  'scheduler/0011-removal-plans.sql':
    'f500f7d3f65771c4ada8a32306dd969f76048c18e2aede5e7aea6e9170f6b5fe',
  'scheduler/0012-pool-pauses.sql':
    '0521dc1bbfaad9f247db4bb7d0e9f5338aa6390400037e23b1579294127d9d89',
  'scheduler/0013-retention-without-index.sql':
    'c2c19008667580c862409b3ba91579e9815f1a6271ee1424e3572df76a6efedf',
  'scheduler/0014-limited-claims.sql':
    '415dd9c8627a6d7f149e9179104bdb59a72ac91242cccefab9cfa4826744c75d',
  'scheduler/0015-sql-start-options.sql':
    '2a871963c3992258aeac3d3e2d4b038ce385066daf5b8b13842b00e5dbd5c095',
  'scheduler/0016-sql-starters.sql':
    '4339323bd05812c4ce3f4aa76067f578ba7fcf361ce1fa20e62501623d5f85c1',
  'scheduler/0017-sql-starts.sql':
    '8563649474bfcd80df500695dd4f0199422b661156392599c6b721eb665bde90',
  'scheduler/0018-bulk-jobs.sql':
    '937025dec1a653652714d92817234ad657ec7b0cb12b1430966a8ea2b771ff9e',
  'scheduler/0019-explanations.sql':
    '06e4226c3b05acff2980b75abf80a70c6f2afdc916c40d2851ed5857ea31d48c',
  'scheduler/0020-sql-start-requests.sql':
    '116fd40bcce3292a92de6bbf490eb0e1825e39495d3b34a13c7ed9ae1dd0ade4',
  'scheduler/0021-scheduled-by-method.sql':
    '3af478bf02f95bc11ff3b015e9a215bf1ee5f121a55d0b238084828856f19c8d',
  'scheduler/0022-full-queues.sql':
    '3329609d402e7f3b8fa6bbcfacb4e2ab1b388bd866ed7cbff646ed50f50562ed',
  'scheduler/0023-listed-by-owner.sql':
    '54c1698116161ffd6cb029d8ccd975d70ef6f0a7531d3fe8f12f586eec328e5b',
  'scheduler/0024-replaced-indexes.sql':
    'a52bcd9c1c7ca80d101e354fb588d6f8d69d33a59e4c5e289197a5054ae1a02f',
  'scheduler/0025-announced-limits.sql':
    '868015b0d5b2958dc4ce95a76a3c53554012ffbcb75f00f3c52195349628646f',
  'scheduler/0026-starts-in-hand.sql':
    '131e5bb76b63e8653834e18149a6ec3bc591ae0bdcb031b33516f02c8a59423e',
  'scheduler/0027-schedules.sql':
    'a1e2237eb368055a8ac3f0456c3a1a4c13adb17743e71eb0184a136aaa4843d8',
  'scheduler/0028-labels-of-methods.sql':
    '2a8b96c514d3ac2794105357fd9850814bebd78e7c4caac0e66aa7e956fe8d7f',
  'scheduler/0029-caller-leases.sql':
    '4c2a029cc475e453a6846b693721b80894bc9bfd02d3f25ee7f072bca3570ae5',
  'scheduler/0030-listed-by-owned-label.sql':
    'b3b66297d94347806d03bef5a44dd667cebb54b14aaf1590abdde4b8d523a052',
  'scheduler/0031-statistics-of-owned-labels.sql':
    '6416d8f5991178218729d7ee7a645dbcc3991f1128b90d0690f807173e559a75',
  'scheduler/0032-full-methods.sql':
    '5389d748d5fbae1a86dc5614f26f077a4e91c6178a0d97967f77c438a106a0af',
  'scheduler/0033-locks.sql': 'cf1d9af9b9673933cb9272ed0f071c6f865de5fc34d8cc1b3d1b868ecf7ab03e',
  'scheduler/0034-reserved-labels.sql':
    'f45aaa3712dc638951206d48fa43f079e61c95875670fafd5be3f30996240e7b',
  'scheduler/0035-declared-schedules.sql':
    'a29e01dc04e522580c3354f004b9e224348d68e209746d3d905af5c094877acd',
  'scheduler/0036-locks-of-transactions.sql':
    'b0e5a0ea9f134d1e4551781d2e8be0497c8d091e35ad189cfb495e31e1b963fe',
  'scheduler/0037-exclusive-mode.sql':
    '38fccc03648454ff60c2172f5aebc16a445501c6b6dc6e589fca39d75b0a973e',
  'scheduler/0038-jobs-of-exclusive-mode.sql':
    '61206c68bb8c51f5510f8a4ca0e883bb340504891994a8fbe708c8664d946e61',
  'scheduler/0039-own-sqlstates.sql':
    '00c9142a87cf90759a1511a71cc1a47f82a93b12ef6c274782e82f4c13fd39b0',
  'scheduler/0040-locks-in-hand.sql':
    'ae649ced8a94c0da6cf17ed2caee1140b820a899e43b323d89bb8457e989e0a3',
  'scheduler/0041-waits-of-transactions.sql':
    '5480fea5b6dd9a5b13ae0e0845e6915863ac7d1016c14efabaf4c48aa2bcd3c8',
  'scheduler/0042-value-refreshes.sql':
    'f663f906884787fd3a2b7407d64aa311e1b01a0d9ee42d0dd4ea9b950cc9ea69',
  'scheduler/0043-keys-in-exclusive-mode.sql':
    'd4fc1452de514a03a3bc83ea33634ed719b0f59a6d6b015ddc508e368a437e3f',
  'scheduler/0044-process-lane.sql':
    'a870c538f7f4a811a2d171971c1946a3623c44db7e9cc4baec61c71dbe73d2ec',
  'scheduler/0045-attached-children.sql':
    'dbc0323a87a2cdf980e28ce8a4b72b10988f1cf35ec5f466ed79ddfd73ee59da',
  'scheduler/0046-attached-children-by-parent.sql':
    'f928b50d7a8bc040fce678725ca9c515d71256da6e942435ad1c6aa1b7dcbca9',
  'scheduler/0047-foreground.sql':
    '2626f10012ae97b1922fa86e3bdd7c6cbf9173d07280506c0c962ef0e52d54e4',
  'scheduler/0048-told-waits-of-transactions.sql':
    '2c87566c624571183b2638d190325e380c41b44c0613ad3c803a1bbbc0a99840',
  'scheduler/0049-required-versions.sql':
    '595220968baa696f19f0ebe9bc431172a2e415b77ccdecd20430af2d9d99064d',
  'scheduler/0050-leaks.sql': '3e21ed09d50fadddae20ba161c1b1b8ccb532f433cc1db0807cd70c3dfd20f97',
  'scheduler/0051-leaks-anew.sql':
    '499eb83838a6a5abf99fd00f53ac9fe7ac99bdcd9d8fde835bab5075b81c2300',
  'storage/0001-values.sql': '2f1b3b9384744858613259c3ef18622384030644e6bb6afd258643848810cdd8',
  'storage/0002-acts.sql': 'bb2c010ed72ba7fafbefe61449772d363b15b5dec78e795e6f558fb85326b1bc',
  'storage/0003-open-of-owner.sql':
    '697b1a6ff8029fe3d4acc2af9a11343207a6d8cfcfdbb2edc74143372cd6fc07',
  'storage/0004-job-values.sql': '19d1d9fba71d33464f8dfaa00163ce4fb38d2f986c7cee1d136b4a43d0af7ede',
  'storage/0005-values-of-scope.sql':
    '0c540833bbf5c5a8198c859d46172bab1099023d50d07268ba2b0fe5f5568432',
  'storage/0006-index-of-scopes.sql':
    'edbcd2cd6de376a5fcca926a2711b4af8995151a05436418b9013865c60c282c',
}

/** What a release before may read or write by. */
const TAKES_AWAY =
  /\b(DROP\s+(TABLE|COLUMN|INDEX|CONSTRAINT|FUNCTION|VIEW|TYPE)|RENAME|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE|ADD\s+CONSTRAINT)\b|\bADD\s+COLUMN\s+\w+\s+(?:(?!,|;|\bDEFAULT\b)[\s\S])*\bNOT\s+NULL(?!\s+DEFAULT)/i
/** Frozen before there was such a line; they drop indexes that others replace. */
const BEFORE_THE_RULE = ['scheduler/0002-session-keys.sql', 'scheduler/0004-acts.sql']

const SERVICES = ['scheduler', 'storage']

async function readAll(): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const service of SERVICES) {
    const folder = new URL(`../services/${service}/src/store/migrations/`, import.meta.url)
    for (const file of (await readdir(folder)).sort()) {
      const sql = await readFile(new URL(file, folder), 'utf8')
      found[`${service}/${file}`] = sql.replaceAll('\r\n', '\n')
    }
  }
  return found
}

test('migrations stay as they are: every change is a new one', async () => {
  const found = Object.entries(await readAll()).map(([name, sql]) => [
    name,
    createHash('sha256').update(sql).digest('hex'),
  ])
  const hashes = Object.fromEntries(found)
  expect(
    hashes,
    'a new number for every change: databases refuse a migration that differs',
  ).toEqual(FROZEN)
})

test('a migration that takes something away says what it breaks, or that it breaks nothing', async () => {
  for (const [name, sql] of Object.entries(await readAll())) {
    if (BEFORE_THE_RULE.includes(name)) continue
    const says = breaksOlder({ version: 1, name, sql }) || /^-- breaks nothing: \S/m.test(sql)
    expect({ name, isTold: says || !TAKES_AWAY.test(sql) }).toEqual({ name, isTold: true })
  }
})

test.each([
  'DROP TABLE offstage.old;',
  'ALTER TABLE offstage.jobs RENAME COLUMN lane TO queue;',
  'ALTER TABLE offstage.jobs ALTER COLUMN lane SET NOT NULL;',
  'ALTER TABLE offstage.jobs ALTER COLUMN lane TYPE bigint;',
  'ALTER TABLE offstage.jobs ADD COLUMN pool text NOT NULL;',
])('%s takes something away', (sql) => {
  expect(sql).toMatch(TAKES_AWAY)
})

test.each([
  'CREATE TABLE offstage.retention (kind smallint NOT NULL);',
  'ALTER TABLE offstage.jobs ADD COLUMN pool text;',
  "ALTER TABLE offstage.executors ADD COLUMN pools text[] NOT NULL DEFAULT '{default}';",
  'ALTER TABLE offstage.jobs ADD COLUMN pool text, ADD COLUMN total integer; CREATE TABLE a (b text NOT NULL);',
])('%s takes nothing away', (sql) => {
  expect(sql).not.toMatch(TAKES_AWAY)
})
