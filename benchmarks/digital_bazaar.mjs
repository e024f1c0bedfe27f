// Times Digital Bazaar's Data Integrity packages in one warm process. One JSON request a line on
// standard input, one answer a line on standard output. The first line sets the scene: {modules,
// contexts: {url: document}, document, key: {type, secret, public} in hex, created}. Then, line by
// line, {do: 'issue' | 'verify', cryptosuite, document?} answers {value} and {…, seconds} answers
// {value: seconds a call} over as many calls as fill about `seconds`. Nothing is fetched.
import {createInterface} from 'node:readline';
import {methodOf, packages} from '../tests/interop/data_integrity.mjs';
import {performance} from 'node:perf_hooks';

const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
const next = async () => {
  const {value, done} = await lines.next();
  return done ? null : JSON.parse(value);
};
const scene = await next();
const {load, DataIntegrityProof, jsigs, purpose, documentLoader} = await packages(scene);

const bytes = hex => new Uint8Array(Buffer.from(hex, 'hex'));
const SUITES = {
  'eddsa-rdfc-2022': async () => {
    const {cryptosuite} = await load('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
    const Ed25519Multikey = await load('@digitalbazaar/ed25519-multikey');
    const pair = await Ed25519Multikey.generate({seed: bytes(scene.key.secret)});
    const {id} = methodOf(pair.publicKeyMultibase);
    return {sign: cryptosuite, verify: cryptosuite, signer: {...pair.signer(), id}};
  },
  'bbs-2023': async () => {
    const bbs = await load('@digitalbazaar/bbs-2023-cryptosuite');
    return {verify: bbs.createVerifyCryptosuite()};
  }
};
const prepared = new Map();

const run = async ({do: what, cryptosuite, document}) => {
  if(!prepared.has(cryptosuite)) {
    prepared.set(cryptosuite, await SUITES[cryptosuite]());
  }
  const {sign, verify, signer} = prepared.get(cryptosuite);
  if(what === 'issue') {
    const suite = new DataIntegrityProof({signer, date: scene.created, cryptosuite: sign});
    return jsigs.sign(scene.document, {suite, purpose, documentLoader});
  }
  const suite = new DataIntegrityProof({cryptosuite: verify});
  const {verified} = await jsigs.verify(document, {suite, purpose, documentLoader});
  return verified;
};

const secondsPerCall = async (step, seconds) => {
  let begun = performance.now();
  await run(step);
  const calls = Math.max(1, Math.floor(seconds * 1e3 / (performance.now() - begun)));
  begun = performance.now();
  for(let call = 0; call < calls; call++) {
    await run(step);
  }
  return (performance.now() - begun) / 1e3 / calls;
};

for(let step = await next(); step !== null; step = await next()) {
  let answer;
  try {
    answer = {value: step.seconds ? await secondsPerCall(step, step.seconds) : await run(step)};
  } catch(error) {
    answer = {error: `${error.name}: ${error.message}`};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
