// What the peers of Digital Bazaar's Data Integrity packages share: one request, with steps.
import {methodOf, packages} from './data_integrity.mjs';
import {readFileSync} from 'node:fs';

const request = JSON.parse(readFileSync(0, 'utf8'));
const {load, DataIntegrityProof, jsigs, purpose, documentLoader} = await packages(request);
export {load};

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
