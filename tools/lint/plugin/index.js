module.exports = {
  configs: {
    recommended: { rules: { 'feel-expression': 'error' } }
  }
};
