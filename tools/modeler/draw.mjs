// Draws a diagram with the code that Camunda Modeler runs (bpmn-js, element templates, Camunda's behaviours), without a
// window: what an analyst does with the mouse and in the properties panel is a list of strokes.
//
//     node tools/modeler/draw.mjs FOLDER < strokes.json > journey.bpmn
//
// FOLDER holds the element templates. The strokes are { process: { id, name, documentation, versionTag }, strokes: [] };
// each stroke is one of
//   { draw: id, template | kind, at: [x, y], name, after, in, fill }   a new element behind another, or in a sub-process
//   { connect: [source, target], id, name, condition, default }        an arrow
// `fill` is what is typed into or chosen in the fields of a ready-made step: { label: value }, empty to clear it.

import { readFileSync, readdirSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { join } from 'node:path';

register('./resolve.mjs', import.meta.url);

const { default: Modeler } = await import('bpmn-js-headless/lib/Modeler');
const { CloudElementTemplatesCoreModule } = await import('bpmn-js-element-templates/core');
const { default: behaviors } = await import('camunda-bpmn-js-behaviors/lib/camunda-cloud');

const require = createRequire(import.meta.url);
const EMPTY = readFileSync(new URL('./empty.bpmn', import.meta.url), 'utf-8');

const folder = process.argv[2];
const templates = readdirSync(folder, { recursive: true })
  .filter(name => name.endsWith('.json'))
  .map(name => JSON.parse(readFileSync(join(folder, name), 'utf-8')));

// The one thing that asks for a window: how large the text of a label is.
const LABEL_PX = { line: 14, letter: 7, narrowest: 20, widest: 90 };
const textRenderer = {
  getExternalLabelBounds({ x, y, width }, text) {
    const lines = Math.ceil(text.length * LABEL_PX.letter / LABEL_PX.widest);
    const wide = Math.max(Math.min(text.length * LABEL_PX.letter, LABEL_PX.widest), LABEL_PX.narrowest);
    return { x: Math.round(x + width / 2 - wide / 2), y: Math.round(y), width: wide, height: lines * LABEL_PX.line };
  }
};

const modeler = new Modeler({
  additionalModules: [ CloudElementTemplatesCoreModule, behaviors, { textRenderer: [ 'value', textRenderer ] } ],
  moddleExtensions: {
    modeler: require('modeler-moddle/resources/modeler.json'),
    zeebe: require('zeebe-bpmn-moddle/resources/zeebe.json')
  }
});
const get = name => modeler.get(name);
const refused = [];
get('eventBus').on('elementTemplates.errors', ({ errors }) => refused.push(...errors.map(error => error.message)));

const { process: wanted, strokes } = JSON.parse(readFileSync(0, 'utf-8'));
await modeler.importXML(EMPTY);
get('elementTemplatesLoader').setTemplates(templates);
if (refused.length) {
  throw new Error(`Modeler refuses a template: ${refused.join('; ')}`);
}
nameProcess(wanted);
for (const stroke of strokes) {
  stroke.connect ? connect(stroke) : draw(stroke);
}
console.log((await modeler.saveXML({ format: true })).xml);


function draw({ draw: id, template, kind, at, name, after, in: parent, fill = {}, options = {} }) {
  const position = { x: at[0], y: at[1] };
  const fresh = template
    ? get('elementTemplates').createElement(filled(newest(template), fill))
    : get('elementFactory').createShape({ type: kind, ...options });
  const target = parent ? element(parent) : get('canvas').getRootElement();
  const host = options.host && element(options.host);
  const shape = host
    ? get('modeling').createShape(fresh, position, host, { attach: true })
    : after
      ? get('modeling').appendShape(element(after), fresh, position, target)
      : get('modeling').createShape(fresh, position, target);
  get('modeling').updateProperties(shape, { id, ...(name ? { name } : {}) });
  if (after) {
    get('modeling').updateProperties(shape.incoming[0], { id: `Flow_${stem(after)}To${stem(id)}` });
  }
}

function connect({ connect: [ source, target ], id, name, condition, default: usual }) {
  const given = element(source).outgoing.find(flow => flow.target === element(target));
  const flow = given || get('modeling').connect(element(source), element(target));
  get('modeling').updateProperties(flow, { id: id || `Flow_${stem(source)}To${stem(target)}`, ...(name ? { name } : {}) });
  if (condition) {
    const conditionExpression = get('moddle').create('bpmn:FormalExpression', { body: condition });
    get('modeling').updateProperties(flow, { conditionExpression });
  }
  if (usual) {
    get('modeling').updateProperties(element(source), { default: flow.businessObject });
  }
}

function nameProcess({ id, name, documentation, versionTag }) {
  const root = get('canvas').getRootElement();
  const create = (type, fields) => get('moddle').create(type, fields);
  get('modeling').updateProperties(root, { id, name, documentation: [ create('bpmn:Documentation', { text: documentation }) ] });
  const extensionElements = create('bpmn:ExtensionElements', { values: [ create('zeebe:VersionTag', { value: versionTag }) ] });
  get('modeling').updateProperties(root, { extensionElements });
}

function newest(id) {
  const found = templates.filter(each => each.id === id).sort((one, other) => other.version - one.version)[0];
  if (!found) {
    throw new Error(`no ready-made step ${id}`);
  }
  return found;
}

function filled(template, fill) {
  const labels = template.properties.map(property => property.label);
  for (const label of Object.keys(fill)) {
    if (!labels.includes(label)) {
      throw new Error(`${template.id} has no field "${label}", it has: ${labels.filter(Boolean).join(', ')}`);
    }
  }
  const properties = template.properties.map(property => {
    const value = property.label in fill ? fill[property.label] : property.value;
    if (property.choices && !property.choices.some(choice => choice.value === value)) {
      throw new Error(`"${property.label}" of ${template.id} does not offer ${value}`);
    }
    return { ...property, value };
  });
  return { ...template, properties };
}

function element(id) {
  const found = get('elementRegistry').get(id);
  if (!found) {
    throw new Error(`there is no ${id}`);
  }
  return found;
}

function stem(id) {
  return id.slice(id.indexOf('_') + 1);
}
