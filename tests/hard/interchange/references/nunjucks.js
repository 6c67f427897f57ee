// Renders the templates of nunjucks.json with nunjucks and writes what came beside them.
// Run in a folder with nunjucks 3.2.4 installed: node nunjucks.js nunjucks.json
const fs = require("fs");
const engine = require("nunjucks").configure({ autoescape: false });
const path = process.argv[2];
const cases = JSON.parse(fs.readFileSync(path, "utf8"));
for (const each of cases) each.rendered = engine.renderString(each.template, each.values);
fs.writeFileSync(path, JSON.stringify(cases, null, 1) + "\n");
