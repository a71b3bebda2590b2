// Which version of Invoke this is.
import packageJson from '../package.json' with { type: 'json' };

export const VERSION = packageJson.version;
