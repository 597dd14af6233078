// What bpmnlint-plugin-camunda-compat lets pass and the engine refuses at deployment, long after the analyst has turned to
// something else: conditions and correlation keys without the leading =, and == for =.

const { is } = require('bpmnlint-utils');

function expressionsOf(node) {
  if (is(node, 'bpmn:SequenceFlow')) {
    return node.conditionExpression ? [ [ 'condition', node.conditionExpression.body ] ] : [];
  }
  if (is(node, 'bpmn:Message')) {
    const extensions = node.extensionElements ? node.extensionElements.values : [];

    return extensions
      .filter(extension => is(extension, 'zeebe:Subscription'))
      .map(subscription => [ 'correlation key', subscription.correlationKey ]);
  }

  return [];
}

function mistakeIn(expression = '') {
  if (!expression.startsWith('=')) {
    return 'is a fixed text; begin it with =';
  }

  return /==/.test(expression.replace(/"[^"]*"/g, '')) ? 'compares with ==; FEEL compares with =' : null;
}

module.exports = function() {
  function check(node, reporter) {
    for (const [ what, expression ] of expressionsOf(node)) {
      const mistake = mistakeIn(expression);

      if (mistake) {
        reporter.report(node.id, `The ${ what } "${ expression }" ${ mistake }`);
      }
    }
  }

  return { check };
};
