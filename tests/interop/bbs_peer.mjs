// Drives Digital Bazaar's bbs-2023 packages for the tests: JSON in on standard input, JSON out.
// Request: {modules, contexts: {url: document}, steps: [{do: 'issue' | 'verify' | 'derive',
// document, created?, pointers?, occasion?}]}.
import {answer, derive, issue, load, named, suiteOf, verify} from './digital_bazaar.mjs';

const multikeys = await load('@digitalbazaar/bls12-381-multikey');
const bbs = await load('@digitalbazaar/bbs-2023-cryptosuite');
const algorithm = multikeys.ALGORITHMS.BBS_BLS12381_SHA256;

await answer(async step => {
  if(step.do === 'issue') {
    const pair = await named(await multikeys.generateBbsKeyPair({algorithm}));
    const cryptosuite = bbs.createSignCryptosuite({mandatoryPointers: step.pointers});
    return issue(step.document, suiteOf(cryptosuite, pair, step.created), pair);
  }
  if(step.do === 'derive') {
    return derive(step.document, suiteOf(bbs.createDiscloseCryptosuite({
      selectivePointers: step.pointers,
      presentationHeader: new TextEncoder().encode(step.occasion)
    })));
  }
  return verify(step.document, suiteOf(bbs.createVerifyCryptosuite()));
});
