// Loaded before the CLI of a checkout: what Node has made of its sources, their types taken out and compiled, stays for the next
// start, and for the sidecars that it starts. Measured: `invokectl list` takes a quarter of the processor time, 0.1 s for 0.4 s.
// Where the folder cannot be written, nothing stays.
const { enableCompileCache } = require('node:module');
const { join } = require('node:path');

enableCompileCache(join(__dirname, '../node_modules/.cache/invokectl'));
