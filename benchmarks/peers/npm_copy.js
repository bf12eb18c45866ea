// The peer: npm's copy-dynamodb-table, as its README shows it.
const AWS = require(process.argv[2] + '/aws-sdk')
const { copy } = require(process.argv[2] + '/copy-dynamodb-table')
const config = { accessKeyId: 'bench', secretAccessKey: 'bench', region: 'us-east-1', endpoint: process.argv[3] }
AWS.config.update(config)
copy(
  { config, source: { tableName: 'bench-source' }, destination: { tableName: 'bench-target' }, log: false },
  function (error, result) {
    if (error) { console.error(error); process.exit(1) }
    console.log(result.count)
  }
)
