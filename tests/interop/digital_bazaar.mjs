// What the peers of Digital Bazaar's Data Integrity packages share. Nothing is fetched: the loader
// knows the given contexts and did:key, and fails for everything else.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

export const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
export const load = name => import(pathToFileURL(require.resolve(name)));
export const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
export const {default: jsigs} = await load('jsonld-signatures');
const purpose = new jsigs.purposes.AssertionProofPurpose();

const MULTIKEY = 'https://w3id.org/security/multikey/v1';
const methodOf = multikey => {
  const controller = `did:key:${multikey}`;
  const id = `${controller}#${multikey}`;
  return {'@context': MULTIKEY, id, type: 'Multikey', controller, publicKeyMultibase: multikey};
};
const documentLoader = async url => {
  if(request.contexts[url]) {
    return {documentUrl: url, document: request.contexts[url]};
  }
  if(url.startsWith('did:key:')) {
    const [controller, fragment] = url.split('#');
    const method = methodOf(controller.slice('did:key:'.length));
    return {documentUrl: url, document: fragment ? method : {
      '@context': ['https://www.w3.org/ns/did/v1', MULTIKEY],
      id: controller,
      verificationMethod: [method],
      assertionMethod: [method.id]
    }};
  }
  throw new Error(`no document ${url}`);
};

// A fresh key pair under its did:key name.
export const named = async pair => {
  const exported = await pair.export({publicKey: true});
  const method = methodOf(exported.publicKeyMultibase);
  pair.id = method.id;
  pair.controller = method.controller;
  return pair;
};
export const suiteOf = (cryptosuite, pair, date) => new DataIntegrityProof(pair ?
  {signer: {...pair.signer(), id: pair.id}, date, cryptosuite} : {cryptosuite});
export const issue = (document, suite, pair) =>
  jsigs.sign({...document, issuer: pair.controller}, {suite, purpose, documentLoader});
export const derive = (document, suite) =>
  jsigs.derive(document, {suite, purpose, documentLoader});
export const verify = async (document, suite) =>
  (await jsigs.verify(document, {suite, purpose, documentLoader})).verified;

// Runs the steps of the request one after the other: a value or an error for each, as JSON.
export const answer = async run => {
  const results = [];
  for(const step of request.steps) {
    try {
      results.push({value: await run(step)});
    } catch(error) {
      results.push({error: `${error.name}: ${error.message}`});
    }
  }
  process.stdout.write(JSON.stringify(results));
};
