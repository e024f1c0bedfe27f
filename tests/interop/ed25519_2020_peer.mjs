// Drives Digital Bazaar's Ed25519Signature2020 package for the tests: JSON in on standard input,
// JSON out. Request: {modules, contexts, steps: [{do: 'issue' | 'verify', document, created?}]}.
import {answer, issue, load, named, verify} from './digital_bazaar.mjs';

const {Ed25519Signature2020} = await load('@digitalbazaar/ed25519-signature-2020');
const {Ed25519VerificationKey2020} = await load('@digitalbazaar/ed25519-verification-key-2020');

await answer(async step => {
  if(step.do === 'issue') {
    const key = await named(await Ed25519VerificationKey2020.generate());
    return issue(step.document, new Ed25519Signature2020({key, date: step.created}), key);
  }
  return verify(step.document, new Ed25519Signature2020());
});
