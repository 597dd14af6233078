// Lints the BPMN files named on the command line by .bpmnlintrc; prints a JSON list of
// { file, rule, category, id, name, message }. The command line of bpmnlint itself prints tables only.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const { BpmnModdle } = require('bpmn-moddle');
const Linter = require('bpmnlint/lib/linter');
const NodeResolver = require('bpmnlint/lib/resolver/node-resolver');

const config = JSON.parse(readFileSync(join(__dirname, '.bpmnlintrc'), 'utf-8'));
const extensions = Object.fromEntries(
  Object.entries(config.moddleExtensions).map(([ name, path ]) => [ name, require(path) ])
);

async function lint(file) {
  const moddle = new BpmnModdle(extensions);
  const linter = new Linter({ config, resolver: new NodeResolver({ require }) });

  try {
    const { rootElement, warnings } = await moddle.fromXML(readFileSync(file, 'utf-8'));
    const results = await linter.lint(rootElement);

    return [
      ...warnings.map(({ message }) => ({ file, rule: 'import', category: 'error', id: '', message })),
      ...Object.entries(results).flatMap(([ rule, reports ]) => reports.map(
        ({ category, id, name, message }) => ({ file, rule, category, id, name, message })
      ))
    ];
  } catch (error) {
    return [ { file, rule: 'import', category: 'error', id: '', message: error.message } ];
  }
}

Promise.all(process.argv.slice(2).map(lint)).then(found => console.log(JSON.stringify(found.flat())));
