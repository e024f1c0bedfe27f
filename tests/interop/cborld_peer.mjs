// Drives @digitalbazaar/cborld (and the QR framing of @digitalbazaar/vpqr) for the tests.
// Reads one JSON request from standard input: {modules, contexts: {url: document}, table,
// steps: [{encode: document} | {decode: hex} | {unframe: text, header}]}; writes the results.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
const load = name => import(pathToFileURL(require.resolve(name)));
const cborld = await load('@digitalbazaar/cborld');
const vpqr = await load('@digitalbazaar/vpqr');

const documentLoader = async url => {
  const document = request.contexts[url];
  if(!document) {
    throw new Error(`no context ${url}`);
  }
  return {document};
};
const typeTable = new Map(request.table.typeTables.map(
  ({type, table}) => [type, new Map(Object.entries(table))]));
const typeTableLoader = async ({registryEntryId}) =>
  registryEntryId === request.table.registryEntryId ? typeTable : undefined;

const options = {documentLoader, typeTableLoader};
const run = async step => {
  if(step.encode) {
    const bytes = await cborld.encode({
      jsonldDocument: step.encode, registryEntryId: request.table.registryEntryId, ...options});
    return Buffer.from(bytes).toString('hex');
  }
  if(step.decode) {
    return cborld.decode({cborldBytes: new Uint8Array(Buffer.from(step.decode, 'hex')), ...options});
  }
  const {jsonldDocument} = await vpqr.util.fromQrCode({
    expectedHeader: step.header, text: step.unframe, ...options});
  return jsonldDocument;
};

const results = [];
for(const step of request.steps) {
  try {
    results.push({value: await run(step)});
  } catch(error) {
    results.push({error: `${error.name}: ${error.message}`});
  }
}
process.stdout.write(JSON.stringify(results));
