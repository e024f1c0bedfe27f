// Drives @sd-jwt/sd-jwt-vc for the tests: JSON in on standard input, JSON out. Request: {modules,
// steps: [{do: 'issue' | 'present' | 'verify', issuer, holder, hash, now?, …}]}; `issuer` and
// `holder` are private JWKs of the tests. Nothing is fetched.
import {createHash, randomBytes, webcrypto} from 'node:crypto';
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const request = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(`${request.modules}/`);
const load = name => import(pathToFileURL(require.resolve(name)));
const {SDJwtVcInstance} = await load('@sd-jwt/sd-jwt-vc');
const {SDJwtInstance} = await load('@sd-jwt/core');
const {subtle} = webcrypto;

const ALGORITHMS = {
  'P-256': ['ES256', {name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256'}],
  'P-384': ['ES384', {name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384'}],
  Ed25519: ['EdDSA', {name: 'Ed25519'}]
};
const signerOf = jwk => async data => {
  const [, algorithm] = ALGORITHMS[jwk.crv];
  const key = await subtle.importKey('jwk', jwk, algorithm, false, ['sign']);
  return Buffer.from(await subtle.sign(algorithm, key, Buffer.from(data))).toString('base64url');
};
const verify = async ({kty, crv, x, y}, data, signature) => {
  const [, algorithm] = ALGORITHMS[crv];
  const key = await subtle.importKey('jwk', {kty, crv, x, y}, algorithm, false, ['verify']);
  return subtle.verify(algorithm, key, Buffer.from(signature, 'base64url'), Buffer.from(data));
};
const instance = ({issuer, holder, hash, plain}) => new (plain ? SDJwtInstance : SDJwtVcInstance)({
  hasher: (data, alg) =>
    new Uint8Array(createHash(alg.replace('-', '')).update(Buffer.from(data)).digest()),
  hashAlg: hash,
  saltGenerator: length => randomBytes(length).toString('base64url').slice(0, length),
  signAlg: ALGORITHMS[issuer.crv][0],
  signer: signerOf(issuer),
  verifier: (data, signature) => verify(issuer, data, signature),
  kbSignAlg: ALGORITHMS[holder.crv][0],
  kbSigner: signerOf(holder),
  kbVerifier: (data, signature, payload) => verify(payload.cnf.jwk, data, signature)
});

const run = async step => {
  const peer = instance(step);
  if(step.do === 'issue') {
    return peer.issue(step.claims, step.frame, {header: step.header});
  }
  if(step.do === 'present') {
    return peer.present(step.token, step.frame, {kb: {payload: step.binding}});
  }
  const {payload, kb} = await peer.verify(step.token, {
    currentDate: step.now, keyBindingNonce: step.nonce
  });
  return {payload, kb: kb?.payload};
};

const results = [];
for(const step of request.steps) {
  try {
    results.push({value: await run(step)});
  } catch(error) {
    // A refusal is an answer of `verify`; anything else is a failure of the test.
    results.push(step.do === 'verify' && step.refusable ?
      {value: {refused: error.message}} : {error: `${error.name}: ${error.message}`});
  }
}
process.stdout.write(JSON.stringify(results));
