// bpmn-js and diagram-js are written for bundlers: their imports leave the end of a file's name out, and some of their
// packages do not say that they are modules. Node is told here instead.

const BUNDLED = /node_modules\/(bpmn-js|bpmn-js-headless|camunda-bpmn-js-behaviors|diagram-js)\/.*\.js$/;

export async function resolve(name, context, next) {
  try {
    return await next(name, context);
  } catch (error) {
    for (const end of [ '.js', '/index.js' ]) {
      try {
        return await next(name + end, context);
      } catch {
        // the next
      }
    }
    throw error;
  }
}

export function load(url, context, next) {
  return next(url, BUNDLED.test(url) ? { ...context, format: 'module' } : context);
}
