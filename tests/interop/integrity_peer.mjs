// Drives Digital Bazaar's Data Integrity packages for the tests: JSON in on standard input, JSON
// out. Request: {modules, contexts: {url: document}, steps: [{do: 'issue' | 'verify' | 'derive',
// cryptosuite, document, keyType?, created?, pointers?}]}. Nothing is fetched: the loader knows the
// given contexts and did:key, and fails for everything else.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
const load = name => import(pathToFileURL(require.resolve(name)));
const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
const {default: jsigs} = await load('jsonld-signatures');
const EcdsaMultikey = await load('@digitalbazaar/ecdsa-multikey');
const Ed25519Multikey = await load('@digitalbazaar/ed25519-multikey');
const {cryptosuite: eddsaRdfc} = await load('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
const {cryptosuite: ecdsaRdfc} = await load('@digitalbazaar/ecdsa-rdfc-2019-cryptosuite');
const ecdsaSd = await load('@digitalbazaar/ecdsa-sd-2023-cryptosuite');
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

const SUITES = {
  'eddsa-rdfc-2022': {sign: () => eddsaRdfc, verify: () => eddsaRdfc},
  'ecdsa-rdfc-2019': {sign: () => ecdsaRdfc, verify: () => ecdsaRdfc},
  'ecdsa-sd-2023': {
    sign: mandatoryPointers => ecdsaSd.createSignCryptosuite({mandatoryPointers}),
    derive: selectivePointers => ecdsaSd.createDiscloseCryptosuite({selectivePointers}),
    verify: () => ecdsaSd.createVerifyCryptosuite()
  }
};
const purpose = new AssertionProofPurpose();
const keyPair = async type => {
  const made = type === 'Ed25519' ?
    await Ed25519Multikey.generate() : await EcdsaMultikey.generate({curve: type});
  const exported = await made.export({publicKey: true});
  const method = methodOf(exported.publicKeyMultibase);
  made.id = method.id;
  made.controller = method.controller;
  return made;
};

const run = async step => {
  const suites = SUITES[step.cryptosuite];
  if(step.do === 'issue') {
    const pair = await keyPair(step.keyType);
    const suite = new DataIntegrityProof({
      signer: {...pair.signer(), id: pair.id},
      date: step.created, cryptosuite: suites.sign(step.pointers)
    });
    const document = {...step.document, issuer: pair.controller};
    return jsigs.sign(document, {suite, purpose, documentLoader});
  }
  if(step.do === 'derive') {
    const suite = new DataIntegrityProof({cryptosuite: suites.derive(step.pointers)});
    return jsigs.derive(step.document, {suite, purpose, documentLoader});
  }
  const suite = new DataIntegrityProof({cryptosuite: suites.verify()});
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
