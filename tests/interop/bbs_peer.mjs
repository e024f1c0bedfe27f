// Drives Digital Bazaar's bbs-2023 packages for the tests: JSON in on standard input, JSON out.
// Request: {modules, contexts: {url: document}, steps: [{do: 'issue' | 'verify' | 'derive',
// document, created?, pointers?, occasion?}]}. Nothing is fetched: the loader knows the given
// contexts and did:key, and fails for everything else.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
const load = name => import(pathToFileURL(require.resolve(name)));
const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
const {default: jsigs} = await load('jsonld-signatures');
const multikeys = await load('@digitalbazaar/bls12-381-multikey');
const bbs = await load('@digitalbazaar/bbs-2023-cryptosuite');
const {AssertionProofPurpose} = jsigs.purposes;

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

const purpose = new AssertionProofPurpose();
const algorithm = multikeys.ALGORITHMS.BBS_BLS12381_SHA256;

const run = async step => {
  if(step.do === 'issue') {
    const pair = await multikeys.generateBbsKeyPair({algorithm});
    const exported = await pair.export({publicKey: true});
    const method = methodOf(exported.publicKeyMultibase);
    pair.id = method.id;
    pair.controller = method.controller;
    const suite = new DataIntegrityProof({
      signer: {...pair.signer(), id: method.id}, date: step.created,
      cryptosuite: bbs.createSignCryptosuite({mandatoryPointers: step.pointers})
    });
    const document = {...step.document, issuer: method.controller};
    return jsigs.sign(document, {suite, purpose, documentLoader});
  }
  if(step.do === 'derive') {
    const suite = new DataIntegrityProof({
      cryptosuite: bbs.createDiscloseCryptosuite({
        selectivePointers: step.pointers,
        presentationHeader: new TextEncoder().encode(step.occasion)
      })
    });
    return jsigs.derive(step.document, {suite, purpose, documentLoader});
  }
  const suite = new DataIntegrityProof({cryptosuite: bbs.createVerifyCryptosuite()});
  const {verified} = await jsigs.verify(step.document, {suite, purpose, documentLoader});
  return verified;
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
