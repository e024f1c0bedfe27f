// Drives Digital Bazaar's Data Integrity packages for the tests: JSON in on standard input, JSON
// out. Request: {modules, contexts: {url: document}, steps: [{do: 'issue' | 'verify' | 'derive',
// cryptosuite, document, keyType?, created?, pointers?}]}.
import {answer, derive, issue, load, named, suiteOf, verify} from './digital_bazaar.mjs';

const EcdsaMultikey = await load('@digitalbazaar/ecdsa-multikey');
const Ed25519Multikey = await load('@digitalbazaar/ed25519-multikey');
const {cryptosuite: eddsaRdfc} = await load('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
const {cryptosuite: ecdsaRdfc} = await load('@digitalbazaar/ecdsa-rdfc-2019-cryptosuite');
const eddsaJcs = await load('@digitalbazaar/eddsa-jcs-2022-cryptosuite');
const ecdsaJcs = await load('@digitalbazaar/ecdsa-jcs-2019-cryptosuite');
const ecdsaSd = await load('@digitalbazaar/ecdsa-sd-2023-cryptosuite');

const SUITES = {
  'eddsa-rdfc-2022': {sign: () => eddsaRdfc, verify: () => eddsaRdfc},
  'ecdsa-rdfc-2019': {sign: () => ecdsaRdfc, verify: () => ecdsaRdfc},
  'eddsa-jcs-2022': {
    sign: eddsaJcs.createSignCryptosuite, verify: eddsaJcs.createVerifyCryptosuite
  },
  'ecdsa-jcs-2019': {
    sign: ecdsaJcs.createSignCryptosuite, verify: ecdsaJcs.createVerifyCryptosuite
  },
  'ecdsa-sd-2023': {
    sign: mandatoryPointers => ecdsaSd.createSignCryptosuite({mandatoryPointers}),
    derive: selectivePointers => ecdsaSd.createDiscloseCryptosuite({selectivePointers}),
    verify: () => ecdsaSd.createVerifyCryptosuite()
  }
};

await answer(async step => {
  const suites = SUITES[step.cryptosuite];
  if(step.do === 'issue') {
    const pair = await named(step.keyType === 'Ed25519' ?
      await Ed25519Multikey.generate() : await EcdsaMultikey.generate({curve: step.keyType}));
    return issue(step.document, suiteOf(suites.sign(step.pointers), pair, step.created), pair);
  }
  if(step.do === 'derive') {
    return derive(step.document, suiteOf(suites.derive(step.pointers)));
  }
  return verify(step.document, suiteOf(suites.verify()));
});
