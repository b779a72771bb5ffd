// Runs on any Node: says what is wrong where it is not one that runs this project.
const [major] = process.versions.node.split('.')
if (Number(major) < 24) {
  const wanted = `node-${process.platform}-${process.arch}`
  console.error(
    `Offstage needs Node 24, and this is ${process.version}. npm brings Node 24 along as the optional ` +
      `package ${wanted}, which is not there: allow optional dependencies, or install Node 24.`,
  )
  process.exit(1)
}
